"""Which items make a bag, in what order, and what is refused."""

import re
from pathlib import Path

import numpy as np
import pytest

from clipfg.data.bagging import bag_labels, bag_splits, bagged_by
from clipfg.data.readers.table import read
from clipfg.errors import DataError, UsageError
from clipfg.types import ClassList, Hints, Manifest

IDS = ("b/2_x.jpg", "a/1_x.jpg", "b/1_y.jpg", "a/2_y.jpg")


def manifest(**columns: list[object]) -> Manifest:
    return Manifest.build("leaves", {"id": IDS, "uri": IDS, **columns}, ClassList(("well", "ill")))


def test_bags_stand_together_in_the_order_in_which_they_begin() -> None:
    found = bagged_by(manifest(), "folder")
    assert found.ids == ["b/2_x.jpg", "b/1_y.jpg", "a/1_x.jpg", "a/2_y.jpg"]
    assert found.column("bag") == ["b", "b", "a", "a"]
    assert bagged_by(manifest(), r"/(\d)_").column("bag") == ["2", "2", "1", "1"]
    assert bagged_by(manifest(group=list("pqpq")), "group").column("bag") == list("ppqq")
    assert bagged_by(manifest(group=list("pqpq")), None).column("bag") == list("ppqq")
    own = bagged_by(manifest(bag=list("xyxy"), group=list("ppqq")), None)
    assert own.column("bag") == list("xxyy")
    assert own.bags is not None
    assert own.bags.tolist() == [0, 0, 1, 1]


def test_a_column_of_ones_own_table_makes_bags(tmp_path: Path) -> None:
    file = tmp_path / "leaves.csv"
    file.write_text("file,label,Plant No\n1.jpg,well,7\n2.jpg,ill,8\n3.jpg,well, 7\n")
    found = read(file, hints=Hints(bag_by="plant_no"))
    assert bagged_by(found, "plant_no").column("bag") == ["7", "7", "8"]
    with pytest.raises(UsageError, match="Expected for --bag-by"):
        bagged_by(read(file), "plant_no")


def test_bags_of_a_table_in_any_order_stand_together(tmp_path: Path) -> None:
    file = tmp_path / "leaves.csv"
    file.write_text("file,label,bag\n1.jpg,well,07\n2.jpg,ill,8\n3.jpg,well,07\n")
    found = read(file)
    assert found.ids == ["1.jpg", "3.jpg", "2.jpg"]
    assert found.column("bag") == ["07", "07", "8"]
    assert found.bags.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("by", "columns", "error", "said"),
    [
        (None, {}, UsageError, "Expected bags in leaves, got none"),
        ("fodler", {}, UsageError, "Did you mean 'folder'?"),
        ("(", {}, UsageError, "Expected a regular expression for --bag-by"),
        ("(z)", {}, UsageError, "Expected --bag-by to be found"),
        ("(x)", {}, DataError, "got none for 2 of 4, such as 'b/1_y.jpg'"),
        (None, {"bag": ["a", None, "a", ""]}, DataError, "got none for 2 of 4"),
        (None, {"bag": ["a", "NaN", "a", "b"]}, DataError, "got none for 1 of 4"),
        ("spilt", {"split": ["train"] * 4}, UsageError, "got 'spilt'."),
    ],
)
def test_what_makes_no_bags_is_said(by, columns, error, said) -> None:
    with pytest.raises(error, match=re.escape(said)):
        bagged_by(manifest(**columns), by)


def test_a_bag_has_the_one_label_that_its_items_have() -> None:
    found = bagged_by(manifest(label=[1, None, None, None]), "folder")
    assert bag_labels(found).tolist() == [1, -1]
    two = bagged_by(manifest(label=[1, 0, 0, 0]), "folder")
    with pytest.raises(DataError, match=r"got 'well' and 'ill' in 'b' \(1 of 2 bags"):
        bag_labels(two)


def test_a_bag_is_in_one_split() -> None:
    found = bagged_by(manifest(split=["train", "test", "train", "test"]), "folder")
    assert bag_splits(found) == ["train", "test"]
    for splits in (["train", "test", "val", "test"], ["train", "test", None, "test"]):
        with pytest.raises(DataError, match="Expected each bag in one split, got items of 'b'"):
            bag_splits(bagged_by(manifest(split=splits), "folder"))


def test_many_items_are_no_trouble() -> None:
    ids = [f"{i % 1000}/{i}" for i in range(100_000)]
    labels = (np.arange(100_000) % 2).tolist()
    many = bagged_by(
        Manifest.build("m", {"uri": ids, "label": labels}, ClassList(("a", "b"))), "folder"
    )
    assert bag_labels(many).tolist() == [0, 1] * 500
