"""How good a classifier is: accuracy, F1, likelihood, calibration.

There are two stages, so that test sets of any size can be streamed. From logits `[n, c]` and labels
`[n]`, one number per item: `rank_of_truth`, `negative_log_likelihood`, `brier_score`. From those,
one number for all. Of classes with equal logits, the lower index always ranks first. All is on
NumPy arrays, for a report needs torch for nothing else; the checks take tensors too.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError
from clipfg.functional.array_similarity import probabilities

Floats = NDArray[Any]
"""Numbers of any precision."""
Indices = NDArray[Any]
"""Of classes: integers of any width."""
Counts = NDArray[np.int64]

CALIBRATION_BINS = 15
"""How many bins of equal width confidences are sorted into for the calibration error."""


def check_logits(logits: Any, labels: Any) -> None:
    """Raises `DataError` unless there is a label for each row, in range, and rows are finite."""
    if len(logits) != len(labels):
        raise DataError(
            f"Expected arguments `logits` and `labels` to have the same length,"
            f" got {len(logits)} and {len(labels)}."
        )
    _check_range("labels", labels, logits.shape[1])
    # a NaN becomes the largest and the smallest, and compares false
    if len(logits) and not (logits.max() < math.inf and logits.min() > -math.inf):
        raise DataError("Expected argument `logits` to be finite, got NaN or infinity.")


def _check_range(name: str, indices: Any, classes: int) -> None:
    if len(indices) and (int(indices.min()) < 0 or int(indices.max()) >= classes):
        raise DataError(
            f"Expected argument `{name}` to hold class indices from 0 to {classes - 1},"
            f" got {int(indices.min())} to {int(indices.max())}."
        )


def check_hits(name: str, values: Any, hits: Any) -> None:
    """Raises `DataError` unless there is a value for each hit, at least one, and none is NaN."""
    if len(values) != len(hits) or not len(hits):
        raise DataError(
            f"Expected arguments `{name}` and `hits` to have the same length above 0,"
            f" got {len(values)} and {len(hits)}."
        )
    check_not_nan(name, values)


def check_not_nan(name: str, values: Any) -> None:
    """Raises `DataError` where a value is NaN, which has no place in any order."""
    if count := int((values != values).sum()):  # as NaN alone does
        raise DataError(f"Expected numbers in argument `{name}`, got NaN {count:,} times.")


def rank_of_truth(logits: Floats, labels: Indices) -> Counts:
    """How many classes score higher than the true one `[n]`: 0 means a correct prediction.

    Raises `DataError` for unequal lengths, labels outside `0..c-1` and logits that are not finite
    (a NaN compares false with everything and would count as correct).
    """
    check_logits(logits, labels)
    own = _own(logits, labels)
    earlier = np.arange(logits.shape[1]) < labels[:, None]
    return np.count_nonzero((logits > own) | ((logits == own) & earlier), axis=1)


def negative_log_likelihood(logits: Floats, labels: Indices) -> NDArray[np.float32]:
    """`-log softmax(logits)[label]` of each item `[n]` in nats, at least 0; log(c) is chance.

    Raises `DataError` as `rank_of_truth` does.
    """
    check_logits(logits, labels)
    logits = logits.astype(np.float32)
    below = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(below).sum(axis=1)) - _own(below, labels)[:, 0]


def brier_score(logits: Floats, labels: Indices) -> NDArray[np.float32]:
    """`sum_k (softmax(logits)[k] - [k = label])^2` of each item, from 0 (sure and right) to 2.

    With two classes it is twice the score that counts one class alone. Raises `DataError` as
    `rank_of_truth` does.

    Source: Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2, equation 2.
    """
    check_logits(logits, labels)
    shares = probabilities(logits)
    return np.square(shares).sum(axis=1) - 2 * _own(shares, labels)[:, 0] + 1


def _own(table: Floats, labels: Indices) -> Floats:
    """The value `[n, 1]` of each item's label."""
    return np.take_along_axis(table, labels[:, None].astype(np.intp), axis=1)


def calibration_gaps(
    confidences: Floats, hits: NDArray[np.bool_], bins: int = CALIBRATION_BINS
) -> NDArray[np.float64]:
    """Hit minus confidence of each item in the column `[n, bins]` of its bin, 0 in the others.

    Bin `i` of equal width holds the confidences in `(i / bins, (i + 1) / bins]`.
    """
    own = np.ceil(confidences * bins).astype(np.intp) - 1
    gaps = np.zeros((len(hits), bins))
    gaps[np.arange(len(hits)), own.clip(0, bins - 1)] = hits - confidences.astype(np.float64)
    return gaps


def expected_calibration_error(
    confidences: Floats, hits: NDArray[np.bool_], bins: int = CALIBRATION_BINS
) -> float:
    """The distance between confidence `[n]` and accuracy, from 0 (calibrated) to 1.

    `ECE = sum_b n_b / n * |accuracy_b - confidence_b|` over `bins` of equal width. It is biased
    upwards in small samples: even a calibrated model scores above 0.

    Raises `DataError` for no items, unequal lengths or confidences outside 0 to 1.

    Source: Guo et al. 2017, arXiv:1706.04599, equations 3 to 5.
    """
    check_hits("confidences", confidences, hits)
    if not ((confidences >= 0) & (confidences <= 1)).all():
        raise DataError("Expected argument `confidences` to lie between 0 and 1.")
    return float(np.abs(calibration_gaps(confidences, hits, bins).sum(axis=0)).sum() / len(hits))


def class_counts(predictions: Indices, labels: Indices, classes: int) -> Counts:
    """For each class `[c, 3]`: items of it, items predicted as it, and items that are both.

    Raises `DataError` for indices outside `0..classes-1`.
    """
    _check_range("predictions", predictions, classes)
    _check_range("labels", labels, classes)
    counted = (labels, predictions, labels[predictions == labels])
    return np.stack([np.bincount(x, minlength=classes) for x in counted], axis=1)


def per_class_accuracy(counts: Counts) -> NDArray[np.float64]:
    """The share of each class's items classified correctly (recall); NaN if it has no items."""
    present, _, both = counts.T
    return _shares(both, present)


def per_class_precision(counts: Counts) -> NDArray[np.float64]:
    """The share of each class's predictions that are correct; NaN if it is never predicted."""
    _, predicted, both = counts.T
    return _shares(both, predicted)


def per_class_f1(counts: Counts) -> NDArray[np.float64]:
    """`2 TP / (2 TP + FP + FN)` of each class; NaN if it has no items.

    A class without items has no recall, so its F1 would only penalise gaps in the test set.
    """
    present, predicted, both = counts.T
    return np.where(present > 0, _shares(2 * both, present + predicted), np.nan)


def _shares(part: Counts, whole: Counts) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def confusion_counts(predictions: Indices, labels: Indices) -> Counts:
    """Rows `(true, predicted, count)` of the confusion matrix's non-zero cells, in index order.

    Sparse, because 10,000 classes squared would be 800 MB of mostly zeros.
    """
    pairs = np.stack((labels, predictions), axis=1)
    cells, counts = np.unique(pairs, axis=0, return_counts=True)
    return np.concatenate((cells, counts[:, None]), axis=1)
