"""SUN397: the official layout in miniature, of which partition 1 is read."""

from pathlib import Path

import pytest

from clipfg.data.readers.class_tables import class_list
from clipfg.data.sets.sun397 import read
from clipfg.errors import DataError
from tests.data.layouts import touch, write


def lay_out(root: Path) -> Path:
    write(root, "Training_01.txt", ["/a/abbey/sun_aa.jpg", "/b/bazaar/indoor/sun_bb.jpg"])
    write(root, "Testing_01.txt", ["/y/youth_hostel/sun_cc.jpg", "/a/abbey/sun_dd.jpg"])
    write(root, "Training_02.txt", ["/a/abbey/sun_dd.jpg"])
    touch(root, "SUN397/a/abbey/sun_aa.jpg", "SUN397/b/bazaar/indoor/sun_bb.jpg")
    touch(root, "SUN397/y/youth_hostel/sun_cc.jpg")
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    assert manifest.ids == [
        "SUN397/a/abbey/sun_aa.jpg",
        "SUN397/b/bazaar/indoor/sun_bb.jpg",
        "SUN397/y/youth_hostel/sun_cc.jpg",
    ]
    names = class_list("sun397").names
    assert [names[label] for label in manifest.labels] == ["abbey", "indoor bazaar", "youth hostel"]
    assert manifest.splits == {"test": 1, "train": 2}
    assert manifest.expected == 4


def test_another_scene(tmp_path: Path) -> None:
    write(lay_out(tmp_path), "Testing_01.txt", ["/z/zoo/sun_x.jpg"])
    with pytest.raises(DataError, match=r"got '/z/zoo/sun_x\.jpg'"):
        read(tmp_path)
