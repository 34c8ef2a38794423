"""Intervals over clusters, against the formula for a mean of equal clusters."""

import numpy as np
import pytest

from clipfg.evaluation.statistics.clustered import clustered_mean
from clipfg.evaluation.statistics.intervals import wilson_interval


def test_against_the_standard_error_of_cluster_means() -> None:
    rng = np.random.default_rng(0)
    means = rng.random(200)
    values = (rng.random((200, 5)) < means[:, None]).astype(float)
    clusters = [f"image {i}" for i in range(200) for _ in range(5)]
    found = clustered_mean(values.ravel(), clusters)
    error = values.mean(axis=1).std(ddof=1) / 200**0.5
    assert found.value == values.mean()
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_clusters_of_different_sizes_are_weighted_by_their_items() -> None:
    values = np.array([1.0, 1.0, 1.0, 0.0])
    found = clustered_mean(values, ["a", "a", "a", "b"])
    assert found.value == 0.75
    assert found.low < 0.75 < found.high <= 1


def test_all_right_and_all_wrong() -> None:
    """Every draw is equal: the number of clusters, not of items, bounds what is known."""
    clusters = ["a"] * 50 + ["b"] * 50
    assert clustered_mean(np.ones(100), clusters).low == pytest.approx(wilson_interval(2, 2)[0])
    assert clustered_mean(np.zeros(100), clusters).high == pytest.approx(wilson_interval(0, 2)[1])


def test_differences() -> None:
    values = np.array([1.0, -1.0, 0.0, -1.0])
    found = clustered_mean(values, list("abcd"), least=-1.0)
    assert found.value == -0.25
    assert -1 <= found.low < -0.25 < found.high
    same = clustered_mean(np.zeros(30), [str(i) for i in range(30)], least=-1.0)
    assert -same.low == same.high == pytest.approx(3.8415 / 33.8415, rel=1e-4)
