"""ImageNetV2: folders that are numbers, in miniature."""

from pathlib import Path

import pytest

from clipfg.data.sets.imagenet_v2 import read
from clipfg.errors import DataError
from tests.data.layouts import touch


def lay_out(root: Path) -> Path:
    touch(root, "0/a.jpeg", "1/b.jpeg", "2/c.jpeg", "10/d.jpeg", "999/e.jpeg")
    return root


def test_folders_are_labels_not_places_in_a_sorted_list(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    assert manifest.labels.tolist() == [0, 1, 2, 10, 999]
    assert manifest.ids == ["0/a.jpeg", "1/b.jpeg", "2/c.jpeg", "10/d.jpeg", "999/e.jpeg"]
    assert manifest.splits == {"test": 5}
    assert manifest.expected == 10000


def test_another_folder(tmp_path: Path) -> None:
    touch(lay_out(tmp_path), "1000/x.jpeg")
    with pytest.raises(DataError, match="got '1000'"):
        read(tmp_path)
