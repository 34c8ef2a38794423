"""Intervals over groups: against a closed form, and against what groups of one are."""

import numpy as np
import pytest

from clipfg.evaluation.statistics.clustered import clustered_variance
from clipfg.evaluation.statistics.repeated import accuracy_over, difference_over


def test_the_bootstrap_has_the_variance_between_groups() -> None:
    """Groups of one size: the mean of the groups' means, `s^2 / g`."""
    rng = np.random.default_rng(0)
    values = (rng.random((80, 1)) + 0.2 * rng.random((80, 5))).ravel()
    groups = np.repeat(rng.permutation(80), 5)
    means = [values[groups == group].mean() for group in range(80)]
    assert clustered_variance(values, groups) == pytest.approx(np.var(means, ddof=1) / 80, rel=0.15)
    assert clustered_variance(values, np.zeros(400, dtype=np.int64)) == 0


def test_copies_tell_nothing_new() -> None:
    """Each item ten times over: the interval is that of the items once."""
    hits = np.random.default_rng(1).random((1, 60)) < 0.7
    once, groups = accuracy_over(hits), np.repeat(np.arange(60), 10)
    copied = hits.repeat(10, axis=1)
    grouped, alone = accuracy_over(copied, groups), accuracy_over(copied)
    assert grouped.high - grouped.low == pytest.approx(once.high - once.low, rel=0.08)
    assert alone.high - alone.low < 0.8 * (once.high - once.low)
    less = difference_over(copied, ~copied, groups).estimate
    assert less.low <= less.value <= less.high


def test_one_group_tells_nearly_nothing() -> None:
    hits = np.ones((1, 50), dtype=bool)
    assert accuracy_over(hits, np.zeros(50, dtype=np.int64)).low < 0.3
