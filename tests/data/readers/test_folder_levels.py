"""Levels of folders: whatever the tree, each picture is read once or left out by name."""

from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st

from clipfg.data.readers.folder_classes import read_classes
from clipfg.data.readers.folder_levels import Levels
from clipfg.data.readers.folder_tree import DEEPEST, FolderTree
from clipfg.errors import DataError

NAMES = st.sampled_from(
    [
        *("train", "test", "val", "holdout", "images", "masks", "data", "unlabeled", "pred"),
        *("Blue Jay", "blue_jay", "Mallard", "2021", "site1", "fold_1", "photo", "sketch", "raw"),
        *("color", "gray", "1", "a", "male", "n01440764", "Blue Jay (2)", "runs", "crops"),
    ]
)
TREES = st.dictionaries(st.lists(NAMES, max_size=5).map(tuple), st.integers(1, 30), max_size=12)


@settings(max_examples=300, deadline=None)
@given(TREES)
@example({("test",): 1, ("holdout", "train"): 1, ("holdout", "holdout"): 1})
def test_no_picture_is_lost(pictures: dict[tuple[str, ...], int]) -> None:
    tree = FolderTree(Counter(pictures))
    try:
        levels = Levels(tree)
    except DataError:  # the same pictures in several forms
        return
    found = read_classes(levels.places)
    out = {*tree.left_out, *found.left_out}
    for folder in pictures:
        below = any(folder[: len(path)] == path for path in out)
        assert (folder in found.places) + (folder in levels.strays or below) == 1, folder
    assert found.labels.keys() <= found.places.keys()
    count = len(found.classes) if found.classes else 0
    assert set(found.labels.values()) == set(range(count))


def test_folders_without_end() -> None:
    deep = ("a",) * (DEEPEST + 500)
    tree = FolderTree({deep: 1, ("b",): 1, ("c",): 1})
    assert Levels(tree).places.keys() == {("b",), ("c",)}
    assert tree.left_out[deep] == f"below more than {DEEPEST} folders"
