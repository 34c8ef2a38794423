"""AUC and its standard error against loops over pairs, written from DeLong's formulas."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clipfg.errors import DataError
from clipfg.evaluation.statistics.auc import auc_difference, auc_over


def drawn(seed: int, n: int = 40, shift: float = 1.0) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    margin = rng.normal(size=n) + shift * labels
    return np.stack([-margin, margin], axis=1)[None], labels


def by_pairs(scores: NDArray[Any], labels: NDArray[Any]) -> tuple[float, float]:
    """The AUC of one column and the variance of equation 5."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    m, n = len(positive), len(negative)
    wins = [[float(p > q) + 0.5 * float(p == q) for q in negative] for p in positive]
    value = sum(map(sum, wins)) / (m * n)
    v10 = [sum(row) / n for row in wins]
    v01 = [sum(row[j] for row in wins) / m for j in range(n)]
    s10 = sum((v - value) ** 2 for v in v10) / (m - 1)
    s01 = sum((v - value) ** 2 for v in v01) / (n - 1)
    return value, s10 / m + s01 / n


def test_it_is_the_share_of_pairs_in_order_with_delongs_variance() -> None:
    scores, labels = drawn(0)
    scores = scores.round(1)  # ties
    value, variance = by_pairs(scores[0, :, 1], labels)
    found = auc_over(scores, labels)
    assert found.value == pytest.approx(value)
    assert found.high - found.value == pytest.approx(1.959964 * math.sqrt(variance))


def test_seeds_that_differ_widen_the_interval() -> None:
    (first, labels), (second, _) = drawn(0), drawn(1, shift=0.2)
    one, both = (auc_over(x, labels) for x in (first, np.concatenate([first, second])))
    values = [by_pairs(x[0, :, 1], labels)[0] for x in (first, second)]
    assert both.value == pytest.approx(np.mean(values))
    assert both.high - both.low > one.high - one.low


def test_several_classes_are_a_mean_of_each_against_the_rest() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    scores = rng.normal(size=(1, 30, 3)) + 2 * np.eye(3)[labels]
    values = [by_pairs(scores[0, :, k], (labels == k).astype(int))[0] for k in range(3)]
    assert auc_over(scores, labels).value == pytest.approx(np.mean(values))


def test_a_difference_is_paired() -> None:
    scores, labels = drawn(0)
    same = auc_difference(scores, scores, labels)
    assert same.estimate.value == 0
    assert same.p_value == 1
    rng = np.random.default_rng(2)
    worse = scores + rng.normal(size=scores.shape) * 3
    found = auc_difference(scores, worse, labels)
    expected = auc_over(worse, labels).value - auc_over(scores, labels).value
    assert found.estimate.value == pytest.approx(expected)
    assert found.p_value < 0.05
    slightly = scores + rng.normal(size=scores.shape) * 0.05
    near = auc_difference(scores, slightly, labels).estimate
    assert near.high - near.low < 0.1  # far less than two intervals of their own


def test_perfect_order_has_an_interval_still_and_one_class_has_no_auc() -> None:
    labels = np.array([0, 0, 1, 1])
    margin = np.array([-2.0, -1.0, 1.0, 2.0])
    perfect = auc_over(np.stack([-margin, margin], axis=1)[None], labels)
    assert perfect.value == perfect.high == 1
    assert perfect.low < 1
    with pytest.raises(DataError, match="two classes"):
        auc_over(np.zeros((1, 2, 2)), np.zeros(2, dtype=np.int64))
