"""Noun phrases of captions of birds, people and drawn flowers."""

import pytest

from clipfg.mining.spans import noun_phrases, part_phrases, spans_of
from clipfg.types import ClassList, Manifest


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        (
            "this bird has wings that are black and has a long, pointy bill.",
            ["bird", "black wings", "long pointy bill"],
        ),
        (
            "a medium-sized bird with a squat red bill and a white eyering",
            ["medium-sized bird", "squat red bill", "white eyering"],
        ),
        ("A black and brown dog rests on a blue couch .", ["black brown dog", "blue couch"]),
        (
            "A group of four children wearing pajamas have a pillow fight .",
            ["four children", "pajamas", "pillow fight"],
        ),
        ("Two dogs play in the snow .", ["two dogs", "snow"]),
        ("A young boy swings with one arm .", ["young boy", "arm"]),
        ("a girl 's hands", ["girl", "hands"]),
        ("a swimming pool", ["swimming pool"]),
        (
            "spotted violet petals; the centre is black and domed, the leaves are toothed",
            ["spotted violet petals", "black domed centre", "toothed leaves"],
        ),
        ("", []),
        ("!?", []),
    ],
)
def test_noun_phrases(caption: str, phrases: list[str]) -> None:
    assert noun_phrases(caption) == phrases


def test_part_phrases() -> None:
    found = part_phrases("Sooty Albatross, a bird: tail long and wedge-shaped.", "Sooty Albatross")
    assert found == ["bird", "tail long and wedge-shaped"]


def test_spans_begin_with_what_the_manifest_says() -> None:
    regions = [[{"box": [0, 0, 2, 2], "phrase": "A red bill"}, {"box": [1, 1, 2, 2]}], None]
    manifest = Manifest.build(
        "x",
        {"uri": ["a", "b"], "label": [1, None], "regions": regions, "id": ["a", "b"]},
        ClassList(("jay", "wren")),
    )
    texts = [["a bird with a red bill"], ["a nest"]]
    assert spans_of(manifest, texts, [["blue wings"], ["a short tail"]]) == [
        ["A red bill", "bird", "short tail"],
        ["nest"],
    ]
    assert spans_of(manifest, texts, most=1) == [["A red bill"], ["nest"]]
