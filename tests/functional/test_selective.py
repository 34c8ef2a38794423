import math
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from clipfg.errors import DataError
from clipfg.functional.selective import (
    abstention_threshold,
    aurc,
    candidates,
    error_bound,
    fewest_answers,
    fewest_right,
    risk_coverage,
)

SEEDS = st.integers(0, 10_000)


def make(seed: int, n: int = 60, ties: bool = True):
    rng = np.random.default_rng(seed)
    certainty = rng.integers(0, 12, n) / 12 if ties else rng.random(n)
    return torch.from_numpy(certainty), torch.from_numpy(rng.random(n) < certainty)


@given(SEEDS)
def test_the_curve_is_every_thresholds_error(seed) -> None:
    certainty, hits = make(seed)
    curve = risk_coverage(certainty, hits)
    expected = []
    for threshold in sorted(set(certainty.tolist()), reverse=True):
        kept = [
            hit for c, hit in zip(certainty.tolist(), hits.tolist(), strict=True) if c >= threshold
        ]
        expected.append((len(kept) / 60, 1 - sum(kept) / len(kept)))
    np.testing.assert_allclose(torch.stack(curve, dim=1), expected)
    assert float(curve.coverage[-1]) == 1


@given(SEEDS)
def test_the_area_is_the_mean_over_orders_of_ties(seed) -> None:
    certainty, hits = (values[:6] for values in make(seed))
    certainty = (4 * certainty).floor()  # up to six answers equally sure
    areas = []
    for order in map(list, permutations(range(6))):
        if (certainty[order].diff() <= 0).all():
            wrong = (~hits[order]).cumsum(dim=0)
            areas.append(float((wrong / torch.arange(1, 7)).mean()))
    assert aurc(certainty, hits) == pytest.approx(np.mean(areas))


def test_an_uninformative_certainty_has_the_error_rate_as_its_area() -> None:
    assert aurc(torch.ones(8), torch.tensor([True, False] * 4)) == pytest.approx(0.5)
    assert aurc(torch.rand(8), torch.ones(8, dtype=torch.bool)) == 0


@pytest.mark.parametrize(("wrong", "answered"), [(0, 45), (3, 50), (49, 50), (5, 5), (0, 0)])
@pytest.mark.parametrize("certainty", [0.9, 0.99])
def test_the_bound_is_clopper_and_pearsons(wrong, answered, certainty) -> None:
    bound = error_bound(wrong, answered, certainty)
    if wrong == answered:
        assert bound == 1
        return
    assert binom.cdf(wrong, answered, bound) == pytest.approx(1 - certainty)
    two_sided = binomtest(wrong, answered).proportion_ci(2 * certainty - 1, method="exact")
    assert bound == pytest.approx(two_sided.high)


@pytest.mark.parametrize(
    ("target", "certainty", "n"), [(0.05, 0.9, 45), (0.1, 0.9, 22), (0.5, 0.5, 1)]
)
def test_the_fewest_answers_that_can_show_a_target(target, certainty, n) -> None:
    assert fewest_right(target, certainty) == n
    assert error_bound(0, n, certainty) <= target + 1e-12 < error_bound(0, n - 1, certainty)


@settings(max_examples=30)
@given(SEEDS)
def test_the_threshold_is_the_most_lenient_candidate_that_passes(seed) -> None:
    """Every candidate by its own binomial, at its part of the failure and what is handed on."""
    certainty, hits = make(seed, n=400, ties=seed % 2 == 0)
    ordered = sorted(certainty.tolist(), reverse=True)
    ranks = [20 * step for step in range(1, 21) if 0.8 ** (20 * step) <= 0.05]
    levels = [0.05 + 0.05 / len(ranks)] + [0.05 / len(ranks)] * (len(ranks) - 1)
    passed, level = [], 0.0
    for own, j in zip(levels, ranks, strict=True):
        threshold = ordered[j] if j < 400 else -math.inf
        kept = certainty > threshold
        n, wrong = int(kept.sum()), int((kept & ~hits).sum())
        level += own
        if n and binom.cdf(wrong, n, 0.2) <= level:
            passed.append((threshold, n, wrong))
        else:
            level = 0.0
    cut = abstention_threshold(certainty, hits, 0.2)
    assert cut == (passed[-1] if passed else None)


def test_an_unlucky_first_image_does_not_end_it() -> None:
    certainty = torch.linspace(1, 0, 1000)
    hits = torch.ones(1000, dtype=torch.bool)
    hits[[0, 1]] = False
    cut = abstention_threshold(certainty, hits, 0.05)
    assert cut == (-math.inf, 1000, 2)


def bonferroni(certainty: torch.Tensor, hits: torch.Tensor, target: float) -> float:
    """The share that the same tests answer where nothing is handed on: each at its own level."""
    n, order = len(hits), certainty.argsort(descending=True)
    ranks = candidates(n, target, 0.9)
    share = 0.0
    for place, j in enumerate(ranks):
        level = 0.1 * (0.5 / len(ranks) + (0.5 if place == 0 else 0))
        if binom.cdf(int((~hits[order[:j]]).sum()), j, target) <= level:
            share = 1 - float(certainty[order[j]]) if j < n else 1.0
    return share


def test_the_guarantee_holds_over_many_calibrations() -> None:
    """500 draws of 200 items; the true error above a threshold is known in closed form.

    By theory at most one in ten is broken, and each answers at least what Bonferroni's correction
    does: a level is handed on in full, so a test that passes there passes here (Wiens 2003).
    """
    rng = np.random.default_rng(0)
    target, broken, shares, least = 0.2, 0, [], []
    for _ in range(500):
        certainty = torch.from_numpy(rng.random(200))
        hits = torch.from_numpy(rng.random(200)) < certainty  # above t the error is (1 - t) / 2
        cut = abstention_threshold(certainty, hits, target)
        shares.append(0 if cut is None else 1 - max(cut.threshold, 0))
        least.append(bonferroni(certainty, hits, target))
        broken += shares[-1] / 2 > target
    assert (np.array(shares) >= np.array(least)).all()
    assert np.mean(shares) > np.mean(least)
    assert broken <= binom.ppf(0.999, 500, 0.1)


def test_too_few_items_guarantee_nothing() -> None:
    needed = fewest_answers(0.05, 0.9)
    assert needed == fewest_right(0.05, 0.95) == 59
    for n, found in ((needed - 1, False), (needed, True)):
        cut = abstention_threshold(torch.rand(n), torch.ones(n, dtype=torch.bool), 0.05)
        assert (cut is not None) == found


@pytest.mark.parametrize(("n", "steps"), [(400, 20), (1200, 30), (9999, 50)])
def test_candidates_are_evenly_spaced_where_they_can_pass(n, steps) -> None:
    found = candidates(n, 0.05, 0.9)
    assert found == [j for j in (n * i // steps for i in range(1, steps + 1)) if j >= 59]


def test_invalid_arguments_are_refused(unchecked) -> None:
    with pytest.raises(DataError, match="same length above 0, got 0 and 0"):
        aurc(torch.zeros(0), torch.zeros(0, dtype=torch.bool))
    with pytest.raises(DataError, match="between 0 and 1, got 1"):
        abstention_threshold(torch.zeros(3), torch.ones(3, dtype=torch.bool), 1.0)


def test_nan_is_refused() -> None:
    for measured in (aurc, risk_coverage):
        with pytest.raises(DataError, match="NaN 1 times"):
            measured(torch.tensor([0.5, torch.nan]), torch.tensor([True, False]))
