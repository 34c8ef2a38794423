import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from clipfg.errors import DataError
from clipfg.evaluation.statistics.paired import compare
from clipfg.evaluation.statistics.repeated import difference_over


def hits(seed: int, n: int = 400, gain: float = 0.1):
    rng = np.random.default_rng(seed)
    draw = rng.random(n)
    flips = rng.random(n) < 0.2
    return draw < 0.6, np.where(flips, rng.random(n) < 0.6, draw < 0.6 + gain)


def test_the_difference_and_its_interval() -> None:
    first, second = hits(0)
    got = compare(first, second)
    assert got.n == 400
    assert got.difference.value == pytest.approx(second.mean() - first.mean())
    rng = np.random.default_rng(1)
    index = rng.integers(400, size=(4000, 400))
    draws = second[index].mean(axis=1) - first[index].mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    assert (got.difference.low, got.difference.high) == pytest.approx((low, high), abs=0.01)


def test_the_counts_and_their_interval_in_closed_form() -> None:
    """60 items only the first gets, 20 only the second, of 1,000: a difference of multinomials."""
    first, second = np.zeros(1000, bool), np.zeros(1000, bool)
    first[:160], second[60:180] = True, True
    got = compare(first, second)
    assert (got.only_first, got.only_second) == (60, 20)
    half = 1.96 * np.sqrt((0.06 + 0.02 - 0.04**2) / 1000)
    assert got.difference.value == pytest.approx(-0.04)
    assert got.difference.low == pytest.approx(-0.04 - half, abs=0.001)
    assert got.difference.high == pytest.approx(-0.04 + half, abs=0.001)


def test_p_value_is_the_exact_binomial_one() -> None:
    first = np.array([True] * 9 + [False] * 1 + [True] * 20)
    second = np.array([False] * 9 + [True] * 1 + [True] * 20)
    got = compare(first, second)
    assert (got.only_first, got.only_second) == (9, 1)
    # twice the chance of at most one head in ten
    assert got.p_value == pytest.approx(2 * (1 + 10) / 2**10)


def test_swapping_the_two_swaps_the_answer() -> None:
    first, second = hits(2)
    there, back = compare(first, second), compare(second, first)
    assert back.difference.value == -there.difference.value
    assert back.p_value == there.p_value


def test_a_classifier_equals_itself() -> None:
    got = compare(hits(3)[0], hits(3)[0])
    assert got.difference.value == 0
    # none of 400 items differs: up to z^2 / (n + z^2) of them might
    assert -got.difference.low == got.difference.high == pytest.approx(3.8415 / 403.8415, rel=1e-4)
    assert got.p_value == 1


@pytest.mark.parametrize(("n", "gained", "lost"), [(30, 0, 0), (30, 1, 0), (50, 12, 2), (44, 9, 3)])
def test_bounds_are_where_the_score_test_rejects(n, gained, lost) -> None:
    """Tango's definition, with the shares that are most likely at a difference found by search."""

    def score(delta: float) -> float:
        def surprise(q: float) -> float:
            counts = ((gained, q + delta), (lost, q), (n - gained - lost, 1 - 2 * q - delta))
            return -sum(k * math.log(max(p, 1e-300)) for k, p in counts if k)

        limits = max(0.0, -delta), (1 - delta) / 2
        q = minimize_scalar(surprise, bounds=limits, method="bounded", options={"xatol": 1e-12}).x
        return ((gained - lost) / n - delta) / math.sqrt((2 * q + delta - delta**2) / n)

    first = np.arange(n) < lost
    second = (np.arange(n) >= lost) & (np.arange(n) < lost + gained)
    got = compare(first, second).difference
    assert score(got.low) == pytest.approx(1.95996, abs=1e-3)
    assert score(got.high) == pytest.approx(-1.95996, abs=1e-3)


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_few_items_hold_the_difference_as_often_as_they_say(share) -> None:
    """30 items, of which a few differ, evenly: bootstrap draws of them held 0 in 48 % (0.02)."""
    rng, paired, repeated = np.random.default_rng(0), 0, 0
    for _ in range(300):
        differing, better = rng.random(30) < share, rng.random(30) < 0.6
        first, second = differing & ~better, differing & better
        found = compare(first, second).difference
        paired += found.low <= 0.2 * share <= found.high
        over = difference_over(first[None], second[None]).estimate
        repeated += over.low <= 0.2 * share <= over.high
    assert min(paired, repeated) / 300 >= 0.93


@pytest.mark.parametrize("better", [True, False])
def test_bounds_stay_within_one(better) -> None:
    first, second = np.zeros(3, bool), np.array([True, True, False])
    pair = (first, second) if better else (second, first)
    got = compare(*pair).difference
    assert -1 <= got.low <= got.value <= got.high <= 1
    assert got.value == pytest.approx(2 / 3 if better else -2 / 3)


def test_p_values_are_small_one_time_in_twenty_when_nothing_differs() -> None:
    small = sum(compare(*hits(s, 300, gain=0.0)).p_value < 0.05 for s in range(400))
    # the exact test is conservative; more than 5% and three standard errors would be a fault
    assert small / 400 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(("one", "other"), [(2, 3), (0, 0)])
def test_other_lengths_are_refused(one, other) -> None:
    with pytest.raises(DataError, match=f"got {one} and {other}"):
        compare(np.ones(one, bool), np.ones(other, bool))
