import numpy as np
import pytest

from clipfg.errors import DataError
from clipfg.evaluation.statistics.paired import compare


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
    got = compare(first, second, resamples=20_000)
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
    assert (got.difference.low, got.difference.value, got.difference.high) == (0, 0, 0)
    assert got.p_value == 1


@pytest.mark.parametrize("better", [True, False])
def test_bounds_stay_within_one(better) -> None:
    first, second = np.zeros(3, bool), np.array([True, True, False])
    pair = (first, second) if better else (second, first)
    for seed in range(20):
        got = compare(*pair, seed=seed, resamples=50).difference
        assert -1 <= got.low <= got.value <= got.high <= 1
        assert got.value == pytest.approx(2 / 3 if better else -2 / 3)


def test_the_same_seed_gives_the_same_interval() -> None:
    pair = hits(4)
    assert compare(*pair, seed=1) == compare(*pair, seed=1)
    assert compare(*pair, seed=1).difference != compare(*pair, seed=2).difference


def test_p_values_are_small_one_time_in_twenty_when_nothing_differs() -> None:
    small = sum(compare(*hits(s, 300, gain=0.0), resamples=20).p_value < 0.05 for s in range(400))
    # the exact test is conservative; more than 5% and three standard errors would be a fault
    assert small / 400 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(("one", "other"), [(2, 3), (0, 0)])
def test_other_lengths_are_refused(one, other) -> None:
    with pytest.raises(DataError, match=f"got {one} and {other}"):
        compare(np.ones(one, bool), np.ones(other, bool))
