"""What smells in data is said with the option that settles it; good data are not doubted."""

import re

import pytest

from clipfg.data.doubts import doubts, with_doubts
from clipfg.types import ClassList, Manifest


def manifest(names: tuple[str, ...], labels: list[int | None] | None = None) -> Manifest:
    labels = labels if labels is not None else [*range(len(names))] * 2
    uris = [f"/{number}.jpg" for number in range(len(labels))]
    return Manifest.build("m", {"uri": uris, "label": labels}, ClassList(names))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("Blue Jay",), "chance is 100 %"),
        (("1", "2", "17"), r"numbers \(1, 2, 17\).*--classes"),
        (("n01440764", "n01443537"), "synset ids.*--classes"),
        (("2021", "2022"), "years.*--label-level"),
        (("site 1", "site 2"), "places.*--label-level"),
        (("Blue Jay", "images"), r"folders \(images\).*--label-level"),
        (("Blue Jay", "unlabeled"), "'unlabeled'"),
    ],
)
def test_names_that_smell(names: tuple[str, ...], words: str) -> None:
    assert re.search(words, " ".join(doubts(manifest(names))))


@pytest.mark.parametrize(
    "names",
    [
        ("Blue Jay", "Bobolink"),
        ("train", "bus"),
        ("737-200", "A380"),
        ("may", "2 spotted ladybird"),
    ],
)
def test_names_that_do_not(names: tuple[str, ...]) -> None:
    assert doubts(manifest(names)) == []
    assert with_doubts(manifest(names)).reading is None


def test_counts_that_smell() -> None:
    names = tuple(f"bird {chr(97 + k)}" for k in range(20))
    assert "Most of the 20 classes have one picture" in doubts(manifest(names, [*range(20)]))[0]
    assert doubts(manifest(names)) == []
    assert "of one class ('bird b')" in doubts(manifest(names, [1, 1, None]))[0]
    twice = {"id": ["a", "b"], "uri": ["/1.jpg", "/1.jpg"]}
    assert "2 rows name 1 pictures" in doubts(Manifest.build("m", twice))[0]
    assert doubts(Manifest.build("m", {**twice, "box": [[0, 0, 1, 1]] * 2})) == []
