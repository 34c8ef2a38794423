"""Food-101: the official layout in miniature."""

from pathlib import Path

import pytest

from clipfg.data.sets.food101 import read
from clipfg.errors import DataError
from tests.data.layouts import touch, write


def lay_out(root: Path) -> Path:
    write(root, "meta/classes.txt", ["apple_pie", "baby_back_ribs"])
    write(root, "meta/labels.txt", ["Apple pie", "Baby back ribs"])
    write(root, "meta/train.txt", ["apple_pie/1005649", "baby_back_ribs/1005293"])
    write(root, "meta/test.txt", ["apple_pie/1011328"])
    touch(root, "images/apple_pie/1005649.jpg", "images/apple_pie/1011328.jpg")
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    assert manifest.ids == ["images/apple_pie/1005649.jpg", "images/apple_pie/1011328.jpg"]
    assert manifest.labels.tolist() == [0, 0]
    assert manifest.splits == {"test": 1, "train": 1}
    assert manifest.expected == 3
    assert manifest.classes is not None
    assert manifest.classes.names == ("apple pie", "baby back ribs")


def test_a_class_that_is_not_listed(tmp_path: Path) -> None:
    write(lay_out(tmp_path), "meta/test.txt", ["haggis/1"])
    with pytest.raises(DataError, match="got 'haggis/1'"):
        read(tmp_path)
