"""Flowers-102: the official layout in miniature, and the real one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from clipfg.data.readers.class_tables import class_list
from clipfg.data.sets.flowers102 import CARD, read
from clipfg.errors import DataError, MissingError


def lay_out(root: Path, present: Sequence[int] = range(1, 7)) -> Path:
    """Six images of classes 77, 1, 102, 2, 2, 77; of which some are there."""
    (root / "jpg").mkdir(parents=True)
    labels = np.array([[77, 1, 102, 2, 2, 77]], np.uint8)
    savemat(root / "imagelabels.mat", {"labels": labels})
    splits = {"trnid": [[3, 1]], "valid": [[4]], "tstid": [[2, 6]]}
    savemat(root / "setid.mat", {k: np.array(v, np.uint16) for k, v in splits.items()})
    for number in present:
        (root / "jpg" / f"image_{number:05d}.jpg").write_bytes(b"x")
    (root / "jpg" / "notes.txt").write_text("not an image")
    return root


def test_layout(tmp_path: Path) -> None:
    root = lay_out(tmp_path, [1, 2, 3, 4, 5, 6])
    assert CARD.holds(root)
    manifest = read(root)
    assert manifest.ids == [f"jpg/image_{n:05d}.jpg" for n in range(1, 7)]
    assert manifest.uris == [str(root / name) for name in manifest.ids]
    assert manifest.labels.tolist() == [76, 0, 101, 1, 1, 76]
    splits = ["train", "test", "train", "val", None, "test"]
    assert manifest.table["split"].to_pylist() == splits
    assert manifest.expected == 6
    assert manifest.prompts == "flowers"


def test_partly_there(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path, [2, 6]))
    assert manifest.labels.tolist() == [0, 76]
    assert manifest.splits == {"test": 2}
    assert manifest.expected == 6
    assert len(manifest.classes or ()) == 102


def test_nothing_there_or_broken(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"found none.*102flowers\.tgz"):
        read(lay_out(tmp_path / "a", []))
    root = lay_out(tmp_path / "b", [1])
    (root / "setid.mat").write_bytes(b"no")
    with pytest.raises(DataError, match=r"MATLAB file with 'trnid' in .*setid\.mat"):
        read(root)
    savemat(root / "setid.mat", {"other": 1})
    with pytest.raises(DataError, match="'trnid'"):
        read(root)
    root = lay_out(tmp_path / "c", [1])
    savemat(root / "imagelabels.mat", {"labels": [[103]]})
    with pytest.raises(DataError, match="labels from 0 to 101, got 102"):
        read(root)


def test_names() -> None:
    names = class_list("flowers102").names
    assert len(names) == 102
    assert all(name == name.lower().strip() for name in names)


@pytest.mark.shared
def test_real(shared: Path) -> None:
    import json

    root = shared / "data/flowers-102"
    manifest = read(root)
    assert len(manifest) == 1069
    assert manifest.expected == CARD.images == 8189
    assert len(set(manifest.labels.tolist())) == 90
    per_class = np.bincount(manifest.select("test").labels, minlength=102)
    assert per_class.max() == 8
    assert np.bincount(manifest.select("train").labels, minlength=102).max() == 4
    official = json.loads((root / "cat_to_name.json").read_text())
    mended = {
        "barbeton daisy": "barberton daisy",
        "lotus lotus": "lotus",
        "globe-flower": "globe flower",
        "desert-rose": "desert rose",
        "pink-yellow dahlia": "pink and yellow dahlia",
    }
    ours = [mended.get(official[str(n)], official[str(n)]) for n in range(1, 103)]
    assert list(class_list("flowers102").names) == ours
