import numpy as np
import pytest

from clipfg.errors import DataError
from clipfg.evaluation.statistics.intervals import wilson_interval
from clipfg.evaluation.statistics.repeated import accuracy_over, difference_over


def simulate(rng: np.random.Generator, seeds: int, n: int, level: float) -> np.ndarray:
    """Hits of which items and draws both have their say, crossed."""
    items, draws = rng.normal(size=(1, n)), 0.3 * rng.normal(size=(seeds, 1))
    return rng.random((seeds, n)) < 1 / (1 + np.exp(-(level + items + draws)))


def expected(level: float) -> float:
    noise = np.random.default_rng(9).normal(size=400_000) * np.sqrt(1 + 0.09)
    return float((1 / (1 + np.exp(-(level + noise)))).mean())


@pytest.mark.parametrize(("seeds", "level"), [(3, 0.0), (3, 3.0), (10, 1.0)])
def test_intervals_hold_the_truth_as_often_as_they_say(seeds, level) -> None:
    rng, truth, inside = np.random.default_rng(0), expected(level), 0
    for _ in range(300):
        estimate = accuracy_over(simulate(rng, seeds, 300, level))
        inside += estimate.low <= truth <= estimate.high
    assert inside / 300 >= 0.91  # 0.95 less three deviations; it may be wider than it says


def test_items_alone_would_promise_too_much() -> None:
    """With draws that differ, the usual interval of one draw holds the truth far too seldom."""
    rng, truth, inside = np.random.default_rng(0), expected(0.0), 0
    for _ in range(300):
        estimate = accuracy_over(simulate(rng, 1, 3000, 0.0))
        inside += estimate.low <= truth <= estimate.high
    assert inside / 300 < 0.6


def test_p_values_are_even_where_there_is_no_difference() -> None:
    rng = np.random.default_rng(1)
    pairs = [(simulate(rng, 3, 200, 0.5), simulate(rng, 3, 200, 0.5)) for _ in range(400)]
    below = np.mean([difference_over(*pair).p_value < 0.05 for pair in pairs])
    assert below <= 0.085


def test_one_seed_is_wilsons_interval() -> None:
    hits = (np.arange(400) % 10 < 7)[None]
    estimate = accuracy_over(hits)
    low, high = wilson_interval(280, 400)
    assert estimate.value == 0.7
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-3)


def test_all_right_is_not_exactly_all() -> None:
    estimate = accuracy_over(np.ones((3, 10), dtype=bool))
    assert estimate.value == estimate.high == 1
    assert estimate.low == pytest.approx(0.722, abs=1e-3)


def test_differences_are_paired_and_one_row_stands_for_all() -> None:
    first = np.zeros((3, 8), dtype=bool)
    second = np.ones((1, 8), dtype=bool)
    assert difference_over(first, second).estimate.value == 1
    same = difference_over(first, first)
    assert same.p_value == 1
    assert same.estimate.low == same.estimate.high == 0
    with pytest.raises(DataError, match="same seeds and items"):
        difference_over(first, np.ones((3, 9), dtype=bool))
    with pytest.raises(DataError, match="seeds, items"):
        accuracy_over(np.ones((0, 4), dtype=bool))
