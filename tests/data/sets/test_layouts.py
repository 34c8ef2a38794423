"""What the readers share: presence on disk, items from folders and lists, and drawn splits."""

import hashlib
from pathlib import Path

import pytest

from clipfg.data.sets.dtd import CARD
from clipfg.data.sets.layouts import (
    Item,
    build,
    build_unlisted,
    draw_split,
    drawn,
    images,
    in_folders,
    in_lists,
    subfolders,
)
from clipfg.errors import DataError, MissingError
from clipfg.types import ClassList
from tests.data.layouts import touch, write


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


def test_items_in_folders(tmp_path: Path) -> None:
    touch(tmp_path, "val/b/2.png", "val/b/1.jpg", "val/a/3.jpg", "train/c/4.jpg", "train/c/x.txt")
    places = {"train": "train", "val": "val", "test": "test"}
    assert in_folders(tmp_path, places, ["b", "a", "c"], of="letters") == [
        Item("train/c/4.jpg", "train", 2),
        Item("val/b/1.jpg", "val", 0),
        Item("val/b/2.png", "val", 0),
        Item("val/a/3.jpg", "val", 1),
    ]
    with pytest.raises(DataError, match=r"folders of letters in .*train, got 'c'"):
        in_folders(tmp_path, places, ["b", "a"], of="letters")


def test_items_in_lists(tmp_path: Path) -> None:
    write(tmp_path, "train.txt", ["b/1", "a/2"])
    lists = {"train": tmp_path / "train.txt"}

    def parse(line: str) -> tuple[str, str]:
        return f"images/{line}.jpg", line[0]

    assert in_lists(lists, ["a", "b"], parse) == [
        Item("images/b/1.jpg", "train", 1),
        Item("images/a/2.jpg", "train", 0),
    ]
    with pytest.raises(DataError, match=r"one of 1 classes, got 'a/2' in .*train\.txt"):
        in_lists(lists, ["b"], parse)


def test_drawn_items(tmp_path: Path) -> None:
    touch(tmp_path, *(f"a/{n}.jpg" for n in range(6)), "b/1.jpg")
    items = drawn(tmp_path, ["b", "a", "none"], lambda n: {"train": n // 2, "test": None})
    assert [item.label for item in items] == [0] + [1] * 6
    assert sorted(item.split or "" for item in items) == ["test"] * 4 + ["train"] * 3
    manifest = build_unlisted(CARD, tmp_path, items, ClassList(("x", "y", "z")))
    assert manifest.expected == CARD.splits["train"] + CARD.splits["test"]
