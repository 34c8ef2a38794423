import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipfg.errors import UsageError
from clipfg.workflows.protocol.support_sets import Shots, draw_supports, hold_out, parse_shots

LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=60).map(np.array)
ALL = Shots(np.inf)


@given(LABELS, st.integers(0, 99))
def test_supports_are_balanced_nested_and_repeatable(labels, seed) -> None:
    draws, again = (draw_supports(labels, [seed, seed + 1]) for _ in range(2))
    assert np.array_equal(draws.places, again.places)
    for draw in range(2):
        before: set[int] = set()
        for most in (1, 2, 4, 100):
            rows = draws.rows(draw, Shots(most))
            expected = np.minimum(np.bincount(labels), most)
            assert np.array_equal(np.bincount(labels[rows], minlength=len(expected)), expected)
            assert before <= set(rows)
            before = set(rows)
        assert set(draws.rows(draw, ALL)) == set(range(len(labels)))


@given(LABELS, st.integers(0, 99), st.data())
def test_images_that_drop_out_are_replaced_by_the_next(labels, seed, data) -> None:
    which = np.array(data.draw(st.lists(st.booleans(), min_size=len(labels), max_size=len(labels))))
    draws = draw_supports(labels, [seed])
    left = draws.keep(np.flatnonzero(which))
    for label in np.unique(labels[which]):
        before = [i for i in np.argsort(draws.places[0]) if which[i] and labels[i] == label]
        own = np.flatnonzero(left.labels == label)
        after = np.flatnonzero(which)[own[np.argsort(left.places[0][own])]]
        assert before == after.tolist()


def test_seeds_draw_differently_and_only_what_they_need() -> None:
    labels = np.repeat(np.arange(4), 50)
    draws = draw_supports(labels, [0, 1, 2])
    assert not np.array_equal(draws.rows(0, Shots(4)), draws.rows(1, Shots(4)))
    needed = draws.ever([Shots(1), Shots(4)])
    assert set(needed) == {i for draw in range(3) for i in draws.rows(draw, Shots(4))}
    assert draws.that_differ(Shots(4)) == 3
    assert draws.that_differ(Shots(50)) == draws.that_differ(ALL) == 1


def test_half_of_each_class_is_held_out() -> None:
    labels = np.array([0] * 7 + [1] * 4 + [2])
    held = hold_out(labels, 0)
    assert np.bincount(labels[held], minlength=3).tolist() == [3, 2, 0]


def test_shots_are_numbers_in_order_or_all() -> None:
    assert list(map(str, parse_shots("16, 1,all,2,1"))) == ["1", "2", "16", "all"]
    for wrong in ("0", "-1", "1,,2", "x", "1.5"):
        with pytest.raises(UsageError, match="try 1,2,4,8,16"):
            parse_shots(wrong)
