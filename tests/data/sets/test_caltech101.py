"""Caltech-101: the official layout in miniature, and CoOp's names of the real one."""

from pathlib import Path

import numpy as np
import pytest

from clipfg.data.readers.class_tables import class_list
from clipfg.data.readers.class_tables import folders as folder_names
from clipfg.data.readers.labels import plain
from clipfg.data.sets.caltech101 import CARD, read
from tests.data.layouts import touch


def lay_out(root: Path) -> Path:
    for folder, count in {"accordion": 33, "yin_yang": 31, "BACKGROUND_Google": 2}.items():
        numbers = range(1, count + 1)
        touch(root, *(f"101_ObjectCategories/{folder}/image_{n:04d}.jpg" for n in numbers))
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    assert len(manifest) == 64  # no background
    assert manifest.splits == {"test": 4, "train": 60}
    assert sorted(set(manifest.labels.tolist())) == [4, 100]
    assert manifest.expected == CARD.images == 8677
    assert manifest.classes == class_list("caltech101")


@pytest.mark.shared
def test_names_of_the_real_folders(shared: Path) -> None:
    features = np.load(shared / "data/clip-features/caltech101.npz", allow_pickle=False)
    folders = {str(path).split("/")[-2] for path in features["test_path"]}
    ours = folder_names("caltech101")
    assert folders == set(ours) - {"Faces_easy"}  # CoOp leaves the second set of faces out
    names = class_list("caltech101").names
    same = [n for n in map(str, features["classnames"]) if plain(n) in set(map(plain, names))]
    assert len(same) > 85
