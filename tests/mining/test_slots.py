"""Mentions of attributes, and swaps that tell nothing."""

import numpy as np
import pytest

from clipfg.mining.slots import Slot, SlotTable, balanced, mentions_in, replaced, values_in


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a black and brown dog", [("colour", "dog", "black"), ("colour", "dog", "brown")]),
        ("The wings are black.", [("colour", "wing", "black")]),
        ("a five-petalled flower", [("count", "petalled", "five")]),
        (
            "two kids with a sky-blue ball",
            [("count", "kid", "two"), ("colour", "ball", "sky-blue")],
        ),
        ("a man runs", []),
    ],
)
def test_mentions(caption: str, expected: list[tuple[str, str, str]]) -> None:
    found = mentions_in(caption)
    assert [(*mention.slot, mention.value) for mention in found] == expected
    assert all(caption[m.start : m.end].lower() == m.value for m in found)


def test_values_are_those_that_may_be_said_of_the_same() -> None:
    assert {"grey", "gray", "red", "scarlet"} <= values_in(["a grey head", "red-eyed"])
    assert "black" not in values_in(["a grey head"])


def test_an_article_and_a_capital_follow() -> None:
    (mention,) = mentions_in("Orange legs and an orange bill")[1:]
    assert (
        replaced("Orange legs and an orange bill", mention, "red") == "Orange legs and a red bill"
    )
    (first,) = mentions_in("Red legs")
    assert replaced("Red legs", first, "orange") == "Orange legs"


@pytest.mark.parametrize("counts", [[5, 3, 2, 1], [40, 3, 2, 1], [1, 1], [7, 0.5, 7]])
def test_a_plan_has_as_many_swaps_there_as_back(counts: list[float]) -> None:
    n = np.array(counts, np.float64)
    rng = np.random.default_rng(0)
    chances = n[:, None] * rng.uniform(0.3, 1, (len(n), len(n))) * (1 - np.eye(len(n)))
    shares = balanced(n, chances)
    made = shares * chances
    np.testing.assert_allclose(made, made.T, rtol=1e-9)
    assert (made > 0).sum() == len(n) ** 2 - len(n)
    assert (shares <= 1 + 1e-9).all()
    assert (made.sum(axis=1) <= n + 1e-9).all()


def test_a_plan_without_obstacles_swaps_every_mention() -> None:
    n = np.array([5.0, 3, 2, 4])
    shares = balanced(n, n[:, None] * (1 - np.eye(4)))
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-3)


def test_swaps_come_from_the_slot_and_are_never_stated() -> None:
    corpus = [["a red bill"], ["a black bill"], ["a white bill", "a black tail"], ["a grey head"]]
    table = SlotTable.learn(corpus * 5)
    assert table.counts[Slot("colour", "bill")] == {"red": 5, "black": 5, "white": 5}
    (mention,) = mentions_in("a red bill")
    assert set(table.swaps(mention, frozenset())) == {"black", "white"}
    assert set(table.swaps(mention, frozenset({"black"}))) == {"white"}
    assert table.swaps(mentions_in("a grey head")[0], frozenset()) == {}
