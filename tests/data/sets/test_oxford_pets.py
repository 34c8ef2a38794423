"""Oxford-IIIT Pet: the official layout in miniature."""

from pathlib import Path

import pytest

from clipfg.data.sets.oxford_pets import read
from clipfg.errors import DataError
from tests.data.layouts import touch, write


def lay_out(root: Path) -> Path:
    """Class ids are alphabetical without regard to case: american_bulldog follows Abyssinian."""
    write(
        root,
        "annotations/trainval.txt",
        ["Abyssinian_100 1 1 1", "american_bulldog_1 2 2 1", "american_pit_bull_terrier_7 3 2 2"],
    )
    write(root, "annotations/test.txt", ["american_bulldog_2 2 2 1", "Abyssinian_201 1 1 1"])
    pets = ("Abyssinian_100", "american_bulldog_1", "american_bulldog_2", "Abyssinian_201")
    touch(root, *(f"images/{pet}.jpg" for pet in pets), "images/Abyssinian_34.mat")
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    assert manifest.ids == [
        "images/Abyssinian_100.jpg",
        "images/american_bulldog_1.jpg",
        "images/american_bulldog_2.jpg",
        "images/Abyssinian_201.jpg",
    ]
    assert manifest.labels.tolist() == [0, 1, 1, 0]
    assert manifest.splits == {"test": 2, "train": 2}
    assert manifest.expected == 5
    classes = manifest.classes
    assert classes is not None
    assert classes.names == ("Abyssinian", "American Bulldog", "American Pit Bull Terrier")
    assert classes.parents == {
        "Abyssinian": "cat",
        "American Bulldog": "dog",
        "American Pit Bull Terrier": "dog",
    }


def test_a_line_that_is_not_as_described(tmp_path: Path) -> None:
    write(lay_out(tmp_path), "annotations/test.txt", ["Abyssinian_201 one 1 1"])
    with pytest.raises(DataError, match=r"got 'Abyssinian_201 one 1 1' in .*test\.txt"):
        read(tmp_path)
    write(tmp_path, "annotations/test.txt", ["Pug_1 30 2 1"])
    with pytest.raises(DataError, match="without gaps"):
        read(tmp_path)
