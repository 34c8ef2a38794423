import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clipfg.errors import DataError
from clipfg.functional import conformal

LEVELS = st.sampled_from([0.5, 0.8, 0.9, 0.95])
SEEDS = st.integers(0, 10_000)


@given(st.integers(0, 60), LEVELS, SEEDS)
def test_the_quantile_counts(n, level, seed) -> None:
    scores = np.random.default_rng(seed).integers(0, 20, n) / 20
    q = conformal.conformal_quantile(torch.from_numpy(scores), level)
    # the least score with at least ceil((n + 1) level) scores up to it
    needed = math.ceil(round((n + 1) * level, 9))
    candidates = [s for s in sorted(scores) if (scores <= s).sum() >= needed]
    assert q == (candidates[0] if candidates else math.inf)


@given(LEVELS)
def test_the_fewest_items(level) -> None:
    n = conformal.fewest_calibrating(level)
    assert math.isfinite(conformal.conformal_quantile(torch.rand(n), level))
    assert math.isinf(conformal.conformal_quantile(torch.rand(n - 1), level))


def test_nine_items_for_nine_tenths() -> None:
    assert [conformal.fewest_calibrating(x) for x in (0.9, 0.95, 0.99)] == [9, 19, 99]


def test_a_quantile_for_each_class() -> None:
    torch.manual_seed(0)
    scores, labels = torch.rand(60), torch.arange(60) % 4
    labels[labels == 3] = 2
    labels[0] = 3
    found = conformal.class_quantiles(scores, labels, 5, 0.9)
    for k in range(3):
        own = scores[labels == k]
        assert float(found[k]) == pytest.approx(conformal.conformal_quantile(own, 0.9))
    assert found[3:].isinf().all()


def test_sets_are_the_likely_classes() -> None:
    p = torch.tensor([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25]])
    scores = conformal.lac_scores(p)
    assert conformal.prediction_sets(scores, 0.66).tolist() == [[1, 0, 0], [1, 1, 0]]
    assert conformal.prediction_sets(scores, math.inf).all()
    each = torch.tensor([0.1, 0.95, 0.95])
    assert conformal.prediction_sets(scores, each).tolist() == [[0, 1, 1], [0, 1, 1]]


def test_coverage_is_the_level() -> None:
    """Over many draws the mean coverage lies between the level and the level + 1 / (n + 1)."""
    rng = np.random.default_rng(0)
    n, draws, level = 39, 3000, 0.9
    p = rng.dirichlet(0.5 * np.ones(5), size=(draws, n + 1))
    labels = torch.from_numpy((rng.random((draws, n + 1, 1)) > p.cumsum(2)).sum(2)).clamp(max=4)
    covered = 0
    for probabilities, truth in zip(torch.from_numpy(p), labels, strict=True):
        own = conformal.lac_scores(probabilities).gather(1, truth[:, None])[:, 0]
        covered += bool(own[-1] <= conformal.conformal_quantile(own[:-1], level))
    spread = 3.5 * math.sqrt(level * (1 - level) / draws)
    assert level - spread <= covered / draws <= level + 1 / (n + 1) + spread


def test_a_level_outside_0_to_1_is_refused() -> None:
    with pytest.raises(DataError, match="between 0 and 1, got 1"):
        conformal.conformal_quantile(torch.rand(3), 1.0)
