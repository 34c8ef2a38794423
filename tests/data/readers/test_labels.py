"""Labels by name and by number."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipfg.data.readers.labels import (
    LabelIndex,
    index_labels,
    named_splits,
    natural,
    plain,
    readable_names,
    relabel,
)
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest

BIRDS = ClassList(("Blue Jay", "Anna's Hummingbird", "Red-winged Blackbird"))


def test_natural_order() -> None:
    names = ["img10", "img2", "Img1", "a", "10", "9", ""]
    assert sorted(names, key=natural) == ["", "9", "10", "a", "Img1", "img2", "img10"]


@given(st.lists(st.text(), max_size=8))
def test_natural_order_is_total_and_stable(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(names, key=natural) == sorted(backwards, key=natural)


def test_names_are_matched_as_they_are_written() -> None:
    lookup = LabelIndex(BIRDS)
    for spelling in ("Blue Jay", "blue_jay", " BLUE-JAY "):
        assert lookup.find(spelling) == 0
    assert lookup.find("Anna Hummingbird") is None
    assert lookup.find("Annas Hummingbird") == 1
    assert lookup.find("Red winged Blackbird") == 2


def test_spellings_that_two_classes_share_are_not_guessed() -> None:
    lookup = LabelIndex(ClassList(("red-bird", "red bird")))
    assert lookup.find("red bird") == 1
    assert lookup.find("red_bird") is None


def test_labels_by_name_without_a_list() -> None:
    labels, classes = index_labels(pa.array(["c10", " c2 ", None, "", "c10"]), None)
    assert classes == ClassList(("c2", "c10"))
    assert labels.to_pylist() == [1, 0, None, None, 1]


def test_labels_by_number() -> None:
    assert index_labels(pa.array([2, None, 0]), BIRDS)[0].to_pylist() == [2, None, 0]
    assert index_labels(pa.array(["2", "", "0"]), BIRDS)[0].to_pylist() == [2, None, 0]
    labels, classes = index_labels(pa.array([10, 9]), None)
    assert classes == ClassList(("9", "10"))
    assert labels.to_pylist() == [1, 0]
    years = ClassList(("2012", "2011"))  # names first, even where they are digits
    assert index_labels(pa.array(["2011"]), years)[0].to_pylist() == [1]


def test_no_labels_at_all() -> None:
    labels, classes = index_labels(pa.array([None, ""], pa.string()), None)
    assert classes is None
    assert labels.to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["Blue Jay", "Blu Jay"], r"got 'Blu Jay' in row 1\. Did you mean 'Blue Jay'"),
        ([0, 3], "from 0 to 2 .3 classes., got 3 in row 1"),
        ([-1, 0], "got -1 in row 0"),
        (["0", "7"], "got 7 in row 1"),
        (["0", "x"], "Expected one of 3 classes"),
    ],
)
def test_labels_outside_the_list(values: list[object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        index_labels(pa.array(values), BIRDS)


def test_relabel() -> None:
    own = ClassList(("blue_jay", "red_winged_blackbird"))
    manifest = Manifest.build("m", {"uri": ["/a", "/b", "/c"], "label": [1, None, 0]}, own)
    again = relabel(manifest, BIRDS)
    assert again.table["label"].to_pylist() == [2, None, 0]
    assert again.classes == BIRDS
    assert again.labels.tolist() == [2, -1, 0]
    with pytest.raises(DataError, match=r"got 'red_winged_blackbird' in '/a'"):
        relabel(manifest, ClassList(("blue jay", "x")))
    heap = Manifest.build("m", {"uri": ["/a"]})
    assert relabel(heap, BIRDS).classes == BIRDS


def test_readable_names() -> None:
    assert readable_names(["001.Sea_holly", "002.Blue__Jay"]) == ["Sea holly", "Blue Jay"]
    assert readable_names(["707-320", "A380"]) == ["707-320", "A380"]
    assert readable_names(["1", "2"]) == ["1", "2"]
    assert readable_names(["1.x", "2.x"]) == ["1.x", "2.x"]  # equal without the number
    assert readable_names(["a_b", "a b"]) == ["a_b", "a b"]


def test_splits_and_plain_spelling() -> None:
    assert named_splits(["Training", "valid", "fold 1", "", None]) == [
        *("train", "val", "fold 1"),
        *(None, None),
    ]
    assert plain("Chuck-will’s_widow ") == plain("chuck wills widow")
