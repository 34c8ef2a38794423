"""Captions of pictures: their own, else composed, else a sentence that says what to give."""

import pytest

from clipfg.errors import DataError
from clipfg.mining.captions import captions_of
from clipfg.types import ClassList, Manifest

SENTENCES = [[f"a jay, text {k}" for k in range(30)], ["a wren"]]


def manifest(**more: list[object]) -> Manifest:
    columns = {"uri": ["a", "b", "c"], "id": ["a", "b", "c"], "label": [0, 1, 0], **more}
    return Manifest.build("birds", columns, ClassList(("jay", "wren")))


def test_own_captions_come_first() -> None:
    found = captions_of(manifest(captions=[["one", " "], None, []]), SENTENCES, most=4)
    assert found.texts[:2] == (("one",), ("a wren",))
    assert len(set(found.texts[2])) == 4
    assert found.composed.tolist() == [False, True, True]
    assert found.share_composed == 2 / 3
    assert found.remark.endswith("for 2 of 3 pictures")


def test_what_is_composed_depends_on_id_and_seed_alone() -> None:
    first = captions_of(manifest(), SENTENCES, most=4)
    assert first.texts == captions_of(manifest(), SENTENCES, most=4).texts
    assert first.texts[2] == captions_of(manifest().select(limit=3), SENTENCES, most=4).texts[2]
    assert first.texts[0] != first.texts[2]
    assert first.texts != captions_of(manifest(), SENTENCES, seed=1, most=4).texts


def test_a_picture_with_neither() -> None:
    with pytest.raises(DataError, match="neither for 1 of 3, such as b; give a column `captions`"):
        captions_of(manifest(label=[0, None, 0]), SENTENCES)
    with pytest.raises(DataError, match="neither for 3 of 3"):
        captions_of(manifest())
