import numpy as np
import pytest
from scipy import stats

from clipfg.evaluation.evaluator import point_estimates
from clipfg.evaluation.statistics.intervals import (
    WeightedSums,
    constant_interval,
    draw_weights,
    intervals,
    percentile_interval,
    proportion,
    wilson_interval,
)
from clipfg.evaluation.statistics.outcomes import Outcomes
from clipfg.evaluation.statistics.tango import NORMAL, tango_interval


def make(seed: int = 0, n: int = 150, c: int = 10) -> Outcomes:
    """A classifier that is right 70 % of the time and says so, more or less."""
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.integers(c, size=n))
    right = rng.random(n) < 0.7
    predictions = np.where(right, labels, (labels + rng.integers(1, c, size=n)) % c)
    confidence = rng.beta(7, 3, size=n)
    return Outcomes(
        labels=labels.astype(np.int32),
        predictions=predictions.astype(np.int32),
        in_top_k=right | (rng.random(n) < 0.5),
        nll=rng.exponential(1.0, size=n).astype(np.float32),
        confidence=confidence.astype(np.float32),
    )


def test_a_weighted_metric_is_the_metric_of_the_repeated_items() -> None:
    outcomes = make()  # sorted by label already, so that the weights keep their items
    for weights in draw_weights(len(outcomes), 5, seed=1):
        got = WeightedSums.of(outcomes).metrics(weights)
        for row in range(5):
            repeated = outcomes.select(np.repeat(np.arange(150), weights[row].astype(int)))
            expected = point_estimates(repeated, 10)
            assert {k: v[row] for k, v in got.items()} == pytest.approx(expected, rel=1e-5)


def test_weights_draw_n_items_with_replacement() -> None:
    weights = np.concatenate(list(draw_weights(1_500_000, 3, seed=0)))
    assert weights.shape == (3, 1_500_000)
    assert (weights.sum(axis=1) == 1_500_000).all()
    # counts of one item are Poisson(1) in the limit
    assert (weights == 0).mean() == pytest.approx(np.exp(-1), abs=0.002)
    assert not np.array_equal(weights[0], weights[1])


def test_the_interval_of_a_mean_is_the_normal_one_for_many_items() -> None:
    outcomes = make(n=4000)
    estimates = point_estimates(outcomes, 10)
    got = intervals(outcomes, estimates)
    for key, values in (("top1", outcomes.hits), ("nll", outcomes.nll)):
        half = 1.96 * np.std(values) / np.sqrt(4000)
        assert got[key].value == pytest.approx(np.mean(values))
        assert got[key].low == pytest.approx(got[key].value - half, abs=0.1 * half)
        assert got[key].high == pytest.approx(got[key].value + half, abs=0.1 * half)


def test_the_interval_holds_the_truth_19_times_in_20() -> None:
    """Over 300 test sets of 120 items: 95 % give or take three standard errors."""
    held = dict.fromkeys(("top1", "mean_per_class", "nll"), 0)
    truth = {"top1": 0.7, "mean_per_class": 0.7, "nll": 1.0}
    for seed in range(300):
        outcomes = make(seed, n=120, c=4)
        got = intervals(outcomes, point_estimates(outcomes, 4), seed, resamples=300)
        for key in held:
            held[key] += got[key].low <= truth[key] <= got[key].high
    slack = 3 * np.sqrt(0.95 * 0.05 / 300)
    for key, count in held.items():
        assert abs(count / 300 - 0.95) < slack, (key, count)


def test_every_interval_holds_its_own_estimate() -> None:
    for seed in range(20):
        outcomes = make(seed, n=12, c=5)
        for key, got in intervals(outcomes, point_estimates(outcomes, 5), seed, 50).items():
            assert 0 <= got.low <= got.value <= got.high, key
            assert got.high <= 1 or key == "nll"


def test_ten_of_ten_is_not_certainty() -> None:
    outcomes = make(n=10, c=2)
    perfect = Outcomes(
        outcomes.labels, outcomes.labels, np.ones(10, bool), outcomes.nll, outcomes.confidence
    )
    got = intervals(perfect, point_estimates(perfect, 2), resamples=50)
    for key in ("top1", "top5", "mean_per_class", "macro_f1"):
        assert (got[key].value, got[key].high) == (1.0, 1.0)
        assert got[key].low == pytest.approx(0.722, abs=0.001)
    draws = WeightedSums.of(perfect).metrics(np.concatenate(list(draw_weights(10, 50, 0))))
    for key in ("nll", "ece"):
        low, high = percentile_interval(draws[key], got[key].value)
        assert (got[key].low, got[key].high) == pytest.approx((low, high))


@pytest.mark.parametrize(("right", "n"), [(0, 7), (3, 7), (7, 7), (81, 263)])
def test_wilson(right, n) -> None:
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson_interval(right, n) == pytest.approx((expected.low, expected.high))


def test_a_share_has_wilsons_interval_which_holds_near_the_edge() -> None:
    """Over binomial draws of 30 items: the interval holds the share as often as it says."""
    for share in (0.5, 0.9, 0.97):
        rights = np.random.default_rng(0).binomial(30, share, 400).tolist()
        found = [proportion(right, 30) for right in rights]
        assert np.mean([one.low <= share <= one.high for one in found]) >= 0.92
        assert all(0 <= one.low <= one.value <= one.high <= 1 for one in found)
    assert (proportion(60, 200).low, proportion(60, 200).high) == wilson_interval(60, 200)


def test_values_that_are_all_equal() -> None:
    """Of a share it is Wilson's interval, of a difference Tango's."""
    for value in (0, 1):
        assert constant_interval(value, 30) == pytest.approx(wilson_interval(30 * value, 30))
    for value in (-1, 0, 1):
        expected = tango_interval(30 * (value == 1), 30 * (value == -1), 30, NORMAL)
        assert constant_interval(value, 30, -1) == pytest.approx(expected, abs=1e-9)


def test_percentiles_are_moved_to_the_number_reported() -> None:
    """Draws from 0 to 1 in steps of 0.01, with a mean of 0.5, around a value of 0.7."""
    low, high = percentile_interval(np.arange(101) / 100, 0.7)
    assert (low, high) == pytest.approx((0.225, 1.175))


def test_a_biased_metric_keeps_an_interval_around_itself() -> None:
    """Draws of the calibration error lie above the error itself; its interval does not."""
    outcomes = make(n=60)
    estimates = point_estimates(outcomes, 10)
    weights = np.concatenate(list(draw_weights(60, 1000, 0)))
    draws = WeightedSums.of(outcomes).metrics(weights)["ece"]
    assert draws.mean() > estimates["ece"] + 0.02
    low, high = np.percentile(draws, [2.5, 97.5]) - (draws.mean() - estimates["ece"])
    got = intervals(outcomes, estimates)["ece"]
    assert (got.low, got.high) == pytest.approx((max(low, 0), high))


def test_one_item() -> None:
    got = intervals(make(n=1, c=2), point_estimates(make(n=1, c=2), 2), resamples=20)
    assert got["top1"].high - got["top1"].low > 0.5


def test_the_same_seed_gives_the_same_interval() -> None:
    outcomes = make()
    estimates = point_estimates(outcomes, 10)
    assert intervals(outcomes, estimates, 1, 50) == intervals(outcomes, estimates, 1, 50)
    assert intervals(outcomes, estimates, 1, 50) != intervals(outcomes, estimates, 2, 50)
