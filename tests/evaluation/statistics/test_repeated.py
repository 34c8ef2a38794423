import math

import numpy as np
import pytest
from scipy import stats

from clipfg.errors import DataError
from clipfg.evaluation.statistics.intervals import wilson_interval
from clipfg.evaluation.statistics.repeated import accuracy_over, difference_over
from clipfg.evaluation.statistics.tango import tango_interval


def simulate(rng: np.random.Generator, seeds: int, n: int, level: float) -> np.ndarray:
    """Hits that depend on both items and draws, crossed."""
    items, draws = rng.normal(size=(1, n)), 0.3 * rng.normal(size=(seeds, 1))
    return rng.random((seeds, n)) < 1 / (1 + np.exp(-(level + items + draws)))


def expected(level: float) -> float:
    noise = np.random.default_rng(9).normal(size=400_000) * np.sqrt(1 + 0.09)
    return float((1 / (1 + np.exp(-(level + noise)))).mean())


def variance_of(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)


def by_loops(values: np.ndarray) -> tuple[float, float, float]:
    """The mean, its variance and Satterthwaite's degrees of freedom, from the definitions."""
    seeds, n = values.shape
    items = [sum(float(values[s, i]) for s in range(seeds)) / seeds for i in range(n)]
    draws = [sum(float(values[s, i]) for i in range(n)) / n for s in range(seeds)]
    of_items = variance_of(items) / n
    of_seeds = variance_of(draws) / seeds if seeds > 1 else 0.0
    freedom = (of_items + of_seeds) ** 2 / (
        of_items**2 / (n - 1) + (of_seeds**2 / (seeds - 1) if seeds > 1 else 0.0)
    )
    return sum(items) / n, of_items + of_seeds, freedom


@pytest.mark.parametrize(("seeds", "n", "level"), [(3, 40, 0.0), (5, 200, 2.0), (1, 50, -1.0)])
def test_an_interval_from_its_definition(seeds, n, level) -> None:
    hits = simulate(np.random.default_rng(3), seeds, n, level)
    mean, variance, freedom = by_loops(hits)
    t = stats.t.ppf(0.975, freedom)
    # The bounds p of Wilson's interval solve (p - mean)^2 = t^2 p (1 - p) / n.
    effective = mean * (1 - mean) / variance
    a, b, c = 1 + t**2 / effective, -(2 * mean + t**2 / effective), mean**2
    root = math.sqrt(b * b - 4 * a * c)
    found = accuracy_over(hits)
    assert found.value == pytest.approx(mean)
    assert (found.low, found.high) == pytest.approx(((-b - root) / (2 * a), (-b + root) / (2 * a)))


@pytest.mark.parametrize(("seeds", "n"), [(3, 40), (5, 200), (2, 30)])
def test_a_difference_from_its_definition(seeds, n) -> None:
    rng = np.random.default_rng(4)
    first, second = simulate(rng, seeds, n, 0.0), simulate(rng, seeds, n, 0.8)
    mean, variance, freedom = by_loops(second.astype(float) - first)
    differing = float((first != second).mean())
    items = (differing - mean**2) / variance  # as many independent ones have this variance
    gained, lost = items * (differing + mean) / 2, items * (differing - mean) / 2
    found = difference_over(first, second)
    bounds = tango_interval(gained, lost, items, stats.t.ppf(0.975, freedom))
    assert found.estimate.value == pytest.approx(mean)
    assert (found.estimate.low, found.estimate.high) == pytest.approx(bounds)
    score = (gained - lost) / math.sqrt(gained + lost)  # McNemar's
    assert found.p_value == pytest.approx(2 * stats.t.sf(score, freedom))


def test_one_draw_of_many_items_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(5)
    first, second = simulate(rng, 1, 6000, 0.0), simulate(rng, 1, 6000, 0.1)
    reference = stats.ttest_rel(second[0].astype(float), first[0].astype(float))
    found, (low, high) = difference_over(first, second), reference.confidence_interval(0.95)
    assert found.p_value == pytest.approx(reference.pvalue, rel=0.01)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((low, high), abs=1e-4)


def test_a_difference_of_all_items_is_no_chance() -> None:
    """Nothing varies, but 30 of 30 items that one alone has right are evidence."""
    zeros, ones = np.zeros((1, 30), dtype=bool), np.ones((1, 30), dtype=bool)
    found = difference_over(zeros, ones)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(math.sqrt(30)), rel=1e-6)
    assert (found.estimate.value, found.estimate.high) == (1.0, 1.0)
    assert found.estimate.low == pytest.approx(1 - 2 * 3.8415 / 33.8415, rel=1e-4)


@pytest.mark.parametrize("n", [1, 50])
def test_draws_alone_count_however_many_their_items(n) -> None:
    """All items of a draw alike: only the draws vary, however many the items."""
    second = np.repeat([[True], [True], [False], [True]], n, axis=1)
    first = np.zeros((4, n), dtype=bool)
    reference = stats.ttest_1samp([1.0, 1.0, 0.0, 1.0], 0.0)
    found = difference_over(first, second)
    assert found.estimate.value == 0.75
    assert found.p_value >= reference.pvalue  # not that of as many items
    assert found.estimate.low < 0.2
    assert found.estimate.high < 1.0
    assert accuracy_over(second).low < 0.3


def test_bounds_of_a_difference_stay_within_one() -> None:
    first, second = np.zeros((1, 2), dtype=bool), np.array([[True, False]])
    found = difference_over(first, second).estimate
    assert -1.0 <= found.low < found.value == 0.5 < found.high <= 1.0


def test_more_spread_between_draws_widens_intervals() -> None:
    """The same accuracy from draws that agree and from draws that do not."""
    alike = np.tile(np.arange(1000) % 2 == 0, (4, 1))
    apart = np.stack([np.arange(1000) < k for k in (300, 450, 550, 700)])
    agreeing, differing = accuracy_over(alike), accuracy_over(apart)
    assert agreeing.value == differing.value == 0.5
    assert differing.high - differing.low > 4 * (agreeing.high - agreeing.low)
    first = np.zeros_like(alike)
    gain, unsure = difference_over(first, alike).estimate, difference_over(first, apart).estimate
    assert unsure.high - unsure.low > 4 * (gain.high - gain.low)


@pytest.mark.parametrize(
    ("seeds", "n", "level"), [(3, 300, 0.0), (3, 300, 3.0), (10, 300, 1.0), (4, 4000, 0.0)]
)
def test_intervals_hold_the_truth_as_often_as_they_say(seeds, n, level) -> None:
    rng, truth, inside = np.random.default_rng(0), expected(level), 0
    for _ in range(300):
        estimate = accuracy_over(simulate(rng, seeds, n, level))
        inside += estimate.low <= truth <= estimate.high
    assert inside / 300 >= 0.91  # 0.95 less three deviations; it may be conservative


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


@pytest.mark.parametrize("correct", [True, False])
def test_all_or_none_is_not_exactly_that(correct) -> None:
    estimate = accuracy_over(np.full((3, 10), correct))
    low, high = wilson_interval(10 * correct, 10)
    assert estimate.value == correct
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-12)
    assert high - low == pytest.approx(0.278, abs=1e-3)


def test_differences_are_paired_and_one_row_stands_for_all() -> None:
    first = np.zeros((3, 8), dtype=bool)
    second = np.ones((1, 8), dtype=bool)
    assert difference_over(first, second).estimate.value == 1
    same = difference_over(first, first)
    assert same.p_value == 1
    assert -same.estimate.low == same.estimate.high == pytest.approx(3.8415 / 11.8415, rel=1e-4)
    with pytest.raises(DataError, match=r"same seeds and items, got \(3, 8\) and \(3, 9\)"):
        difference_over(first, np.ones((3, 9), dtype=bool))
    with pytest.raises(DataError, match=r"seeds, items\], got \(0, 4\)"):
        accuracy_over(np.ones((0, 4), dtype=bool))
    with pytest.raises(DataError, match="seeds, items"):
        accuracy_over(np.ones(4, dtype=bool))
