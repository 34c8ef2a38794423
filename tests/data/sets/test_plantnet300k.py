"""Pl@ntNet-300K: the official layout in miniature."""

import json
from pathlib import Path

import pytest

from clipfg.data.sets.plantnet300k import NAMES, read, species
from clipfg.errors import DataError
from tests.data.layouts import touch


def lay_out(root: Path) -> Path:
    """Sorted as text, 1355868 comes before 19."""
    names = {
        "19": "Nepenthes × neglecta Macfarl.",
        "1355868": "Lactuca virosa L.",
        "1355869": "Lavandula spp.",
        "1355870": "Lactuca_virosa Habl.",
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / NAMES).write_text(json.dumps(names))
    touch(root, "images/train/1355868/a.jpg", "images/val/19/b.jpg", "images/test/1355869/c.jpg")
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    assert manifest.labels.tolist() == [0, 3, 1]
    assert manifest.table["split"].to_pylist() == ["train", "val", "test"]
    assert manifest.classes is not None
    assert manifest.classes.names == (
        "Lactuca virosa L.",
        "Lavandula spp.",
        "Lactuca virosa Habl.",
        "Nepenthes × neglecta",
    )
    assert manifest.classes.lineage("Nepenthes × neglecta") == ("Nepenthes",)


@pytest.mark.parametrize(
    ("official", "name"),
    [
        ("Sedum praealtum A.DC.", "Sedum praealtum"),
        ("Lavandula canariensis (L.) Mill.", "Lavandula canariensis"),
        ("Dendrobium victoriae-reginae Loher", "Dendrobium victoriae-reginae"),
        ("Acer negundo L. var. violaceum (Kirchn.) Jaeger", "Acer negundo var. violaceum"),
    ],
)
def test_names_without_their_authors(official: str, name: str) -> None:
    assert species(official) == name


def test_a_folder_without_a_name(tmp_path: Path) -> None:
    touch(lay_out(tmp_path), "images/test/7/x.jpg")
    with pytest.raises(DataError, match="got '7'"):
        read(tmp_path)
