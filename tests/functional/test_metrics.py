"""Against scikit-learn, plain loops and figures worked out by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn import metrics as reference

from clipfg.errors import DataError
from clipfg.functional import array_similarity, metrics, similarity

SEEDS = st.integers(0, 2**32 - 1)


def make(seed: int, n: int = 60, c: int = 7):
    """Logits and labels; some classes may have no items and some may never be predicted."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(c - 1, size=n)
    logits = rng.normal(size=(n, c)).astype(np.float32)
    logits[np.arange(n), labels] += 1
    return logits, labels


@given(SEEDS, st.integers(1, 6))
def test_ranks_give_top_k_accuracy(seed, k) -> None:
    logits, labels = make(seed)
    expected = reference.top_k_accuracy_score(labels, logits, k=k, labels=range(7))
    hits = metrics.rank_of_truth(logits, labels) < k
    assert float(hits.mean()) == pytest.approx(expected)


def test_of_equal_logits_the_lower_index_ranks_first() -> None:
    logits = np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 2.0]])
    assert metrics.rank_of_truth(logits, np.array([2, 1])).tolist() == [2, 0]
    assert metrics.rank_of_truth(logits, np.array([0, 2])).tolist() == [0, 1]


@given(SEEDS)
def test_negative_log_likelihood(seed) -> None:
    logits, labels = make(seed)
    expected = reference.log_loss(labels, softmax(logits.astype(float), axis=1), labels=range(7))
    got = metrics.negative_log_likelihood(logits, labels)
    assert float(got.mean()) == pytest.approx(expected, rel=1e-5)


def test_uniform_logits_score_log_c() -> None:
    got = metrics.negative_log_likelihood(np.zeros((3, 8)), np.array([0, 3, 7]))
    np.testing.assert_allclose(got, np.log(8), rtol=1e-6)


@given(SEEDS)
def test_class_metrics(seed) -> None:
    logits, labels = make(seed)
    predictions = logits.argmax(1)
    counts = metrics.class_counts(predictions, labels, 7)
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        labels, predictions, labels=range(7), zero_division=np.nan
    )
    np.testing.assert_array_equal(counts[:, 0], support)
    np.testing.assert_allclose(metrics.per_class_accuracy(counts), recall)
    np.testing.assert_allclose(metrics.per_class_precision(counts), precision)
    present = support > 0
    np.testing.assert_allclose(metrics.per_class_f1(counts)[present], f1[present])
    assert np.isnan(metrics.per_class_f1(counts)[~present]).all()
    macro = np.nanmean(metrics.per_class_accuracy(counts))
    with np.errstate(all="ignore"):
        expected = np.mean(recall[present])
    assert float(macro) == pytest.approx(expected)


def test_classes_without_items_enter_no_mean() -> None:
    counts = metrics.class_counts(np.array([0, 2, 2]), np.array([0, 0, 2]), 4)
    assert counts.tolist() == [[2, 1, 1], [0, 0, 0], [1, 2, 1], [0, 0, 0]]
    # (1/2 + 1) / 2, not / 4
    assert float(np.nanmean(metrics.per_class_accuracy(counts))) == 0.75
    # F1 of both classes is 2/3
    assert float(np.nanmean(metrics.per_class_f1(counts))) == pytest.approx(2 / 3)


@given(SEEDS)
def test_confusion_counts_are_the_confusion_matrix(seed) -> None:
    logits, labels = make(seed)
    predictions = logits.argmax(1)
    dense = np.zeros((7, 7), dtype=int)
    for true, predicted, count in metrics.confusion_counts(predictions, labels).tolist():
        assert count > 0
        dense[true, predicted] += count
    expected = reference.confusion_matrix(labels, predictions, labels=range(7))
    np.testing.assert_array_equal(dense, expected)


def ece_loop(confidences, hits, bins) -> float:
    """Guo et al. 2017, equation 5, bin by bin."""
    total = 0.0
    for b in range(bins):
        low, high = b / bins, (b + 1) / bins
        inside = [i for i, p in enumerate(confidences) if low < p <= high or (b == 0 and p == 0)]
        if inside:
            accuracy = sum(hits[i] for i in inside) / len(inside)
            mean = sum(confidences[i] for i in inside) / len(inside)
            total += len(inside) / len(confidences) * abs(accuracy - mean)
    return total


@given(SEEDS, st.integers(1, 20))
def test_expected_calibration_error(seed, bins) -> None:
    rng = np.random.default_rng(seed)
    confidences, hits = rng.random(50).astype(np.float32), rng.random(50) < 0.5
    got = metrics.expected_calibration_error(confidences, hits, bins)
    assert got == pytest.approx(ece_loop(confidences.tolist(), hits, bins), abs=1e-6)


def test_calibration_worked_by_hand() -> None:
    # bins of 0.5: (0.25, wrong) and (0.5, right) -> |0.5 - 0.375| * 2; (0.75, right) -> 0.25 * 1
    got = metrics.expected_calibration_error(
        np.array([0.25, 0.5, 0.75]), np.array([False, True, True]), bins=2
    )
    assert got == pytest.approx((0.25 + 0.25) / 3)


def test_confidence_is_the_largest_probability() -> None:
    logits = np.array([[0.0, np.log(3.0)]])
    np.testing.assert_allclose(array_similarity.confidence(logits), 0.75, rtol=1e-6)
    np.testing.assert_allclose(similarity.confidence(torch.from_numpy(logits)), 0.75, rtol=1e-6)


@given(SEEDS)
def test_a_permutation_of_items_or_classes_changes_nothing(seed) -> None:
    logits, labels = make(seed)
    rng = np.random.default_rng(seed)
    items, classes = rng.permutation(60), rng.permutation(7)
    moved = logits[items][:, classes]
    relabelled = classes.argsort()[labels[items]]
    ranks = metrics.rank_of_truth(logits, labels)
    np.testing.assert_array_equal(metrics.rank_of_truth(moved, relabelled), ranks[items])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_refused(bad) -> None:
    with pytest.raises(DataError, match="to be finite"):
        metrics.rank_of_truth(np.array([[bad, 0.0]]), np.array([0]))


@pytest.mark.parametrize("labels", [[-1, 0], [0, 3]])
def test_labels_outside_the_classes_are_refused(labels) -> None:
    with pytest.raises(DataError, match="class indices from 0 to 2"):
        metrics.rank_of_truth(np.zeros((2, 3)), np.array(labels))


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="same length, got 2 and 1"):
        metrics.rank_of_truth(np.zeros((2, 3)), np.array([0]))
    with pytest.raises(DataError, match="same length above 0, got 1 and 0"):
        metrics.expected_calibration_error(np.ones(1), np.ones(0, dtype=bool))


def test_confidences_outside_0_to_1_are_refused() -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        metrics.expected_calibration_error(np.array([1.5]), np.array([True]))


@pytest.mark.parametrize("bad", [float("nan"), -float("inf")])
def test_checks_are_of_tensors_too(bad) -> None:
    with pytest.raises(DataError, match="to be finite"):
        metrics.check_logits(torch.tensor([[bad, 0.0]]), torch.tensor([0]))
    with pytest.raises(DataError, match="from 0 to 1, got 0 to 2"):
        metrics.check_logits(torch.zeros(2, 2), torch.tensor([0, 2]))
    with pytest.raises(DataError, match="NaN 1 times"):
        metrics.check_not_nan("certainty", torch.tensor([torch.nan, 0.0]))


@given(SEEDS)
def test_the_brier_score_is_scikit_learns(seed) -> None:
    logits, labels = make(seed)
    shares = softmax(logits.astype(float), axis=1)
    expected = reference.brier_score_loss(labels, shares, labels=range(7), scale_by_half=False)
    assert float(metrics.brier_score(logits, labels).mean()) == pytest.approx(expected, abs=1e-6)
