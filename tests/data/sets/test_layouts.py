"""What the readers share: presence on disk, drawn splits, and files that are not what they seem."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from clipfg.data.sets.dtd import CARD
from clipfg.data.sets.layouts import (
    Item,
    build,
    draw_split,
    images,
    in_order,
    read_json,
    read_lines,
    read_mat,
    read_pairs,
    subfolders,
)
from clipfg.errors import DataError, MissingError
from clipfg.types import ClassList
from tests.data.layouts import touch


def test_only_what_is_there(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg", "a/b/2.jpg", "3.jpg")
    items = [
        Item("a/1.jpg", "train", 0),
        Item("a/b/2.jpg", "test", 1, (0, 0, 2, 2)),
        Item("3.jpg", None, 1),
        Item("a/4.jpg", "test", 1),
        Item("gone/5.jpg", "test", 1),
        Item("3.jpg/6.jpg", "test", 1),
    ]
    manifest = build(CARD, tmp_path, items, ClassList(("x", "y")))
    assert manifest.ids == ["a/1.jpg", "a/b/2.jpg", "3.jpg"]
    assert manifest.expected == 6
    assert manifest.column("box") == [None, [0, 0, 2, 2], None]
    with pytest.raises(MissingError, match="found none"):
        build(CARD, tmp_path, items[3:], ClassList(("x", "y")))


def test_a_drawn_split_is_the_order_of_the_hashes() -> None:
    paths = [f"River/River_{n}.jpg" for n in range(50)]
    parts = dict(zip(paths, draw_split(paths, {"train": 25, "val": 10, "test": None}), strict=True))
    ranked = sorted(paths, key=lambda path: hashlib.blake2b(path.encode()).hexdigest())
    assert [parts[path] for path in ranked] == ["train"] * 25 + ["val"] * 10 + ["test"] * 15
    shuffled = paths[::-1]
    again = draw_split(shuffled, {"train": 25, "val": 10, "test": None})
    assert dict(zip(shuffled, again, strict=True)) == parts
    assert draw_split(paths[:3], {"train": 30, "test": None}) == ["train"] * 3


def test_folders_and_images(tmp_path: Path) -> None:
    touch(tmp_path, "b/1.JPEG", "b/notes.txt", "A/2.png", ".hidden/3.jpg", "4.jpg")
    assert subfolders(tmp_path) == ["A", "b"]
    assert subfolders(tmp_path / "none") == []
    assert images(tmp_path, "b") == ["b/1.JPEG"]
    assert images(tmp_path, "none") == images(tmp_path, "4.jpg") == []


def test_list_files(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffone 1\r\n\r\n  two  2 and more \r\n".encode())
    assert read_lines(path) == ["one 1", "two  2 and more"]
    assert read_pairs(path) == [("one", "1"), ("two", "2 and more")]
    path.write_text("alone\n")
    with pytest.raises(DataError, match="a key and a value, got 'alone'"):
        read_pairs(path)
    path.write_bytes(b"\xff\xfe\xff")
    for reader in (read_lines, read_json):
        with pytest.raises(DataError, match=re.escape(str(path))):
            reader(path)
        with pytest.raises(DataError, match="No such file"):
            reader(tmp_path / "none")


def test_matlab_files(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    savemat(path, {"numbers": np.array([[3], [1]]), "one": 7})
    assert read_mat(path, "numbers").tolist() == [3, 1]
    assert read_mat(path, "one").tolist() == [7]
    with pytest.raises(DataError, match="'names'"):
        read_mat(path, "names")
    path.write_bytes(b"no")
    with pytest.raises(DataError, match=r"MATLAB file with 'one' in .*x\.mat"):
        read_mat(path, "one")
    with pytest.raises(DataError, match="a readable file"):
        read_mat(tmp_path / "none.mat", "one")


def test_labels_without_gaps() -> None:
    assert in_order({1: "b", 0: "a"}, Path("list")) == ["a", "b"]
    for names in ({}, {0: "a", 2: "c"}, {-1: "x"}):
        with pytest.raises(DataError, match="without gaps in list"):
            in_order(names, Path("list"))
