"""FGVC-Aircraft: the official layout in miniature."""

from pathlib import Path

import pytest

from clipfg.data.sets.fgvc_aircraft import read
from clipfg.errors import DataError
from tests.data.layouts import touch, write


def lay_out(root: Path) -> Path:
    """A variant, a family and another family's variant share a name: A320; A310 is both alone."""
    write(root, "variants.txt", ["A310", "A318", "A320", "F-16A/B", "Boeing 717"])
    rows = {
        "train": [("0000001", "A318", "A320", "Airbus"), ("0000002", "A310", "A310", "Airbus")],
        "val": [("0000003", "F-16A/B", "F-16", "Lockheed Martin")],
        "test": [
            ("0000004", "A320", "A320", "Airbus"),
            ("0000005", "Boeing 717", "Boeing 717", "Boeing"),
        ],
    }
    for split, entries in rows.items():
        for place, level in enumerate(("variant", "family", "manufacturer"), 1):
            write(root, f"images_{level}_{split}.txt", [f"{e[0]} {e[place]}" for e in entries])
    touch(root, *(f"images/000000{n}.jpg" for n in (1, 2, 3, 4)))
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    assert manifest.ids == [f"images/000000{n}.jpg" for n in (1, 2, 3, 4)]
    assert manifest.labels.tolist() == [1, 0, 3, 2]
    assert manifest.table["split"].to_pylist() == ["train", "train", "val", "test"]
    assert manifest.expected == 5
    classes = manifest.classes
    assert classes is not None
    assert classes.names == ("A310", "A318", "A320", "F-16A/B", "Boeing 717")
    assert classes.lineage("A318") == ("A320 (family)", "Airbus")
    assert classes.lineage("A320") == ("A320 (family)", "Airbus")
    assert classes.lineage("A310") == ("A310 (family)", "Airbus")
    assert classes.lineage("F-16A/B") == ("F-16", "Lockheed Martin")


def test_a_variant_that_is_not_listed(tmp_path: Path) -> None:
    write(lay_out(tmp_path), "images_variant_test.txt", ["0000004 A321"])
    with pytest.raises(DataError, match=r"got '0000004 A321' in .*images_variant_test\.txt"):
        read(tmp_path)
