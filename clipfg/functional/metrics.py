"""How good a classifier or a ranking is: accuracy, F1, likelihood, calibration, precision.

There are two stages, so that test sets of any size can be streamed. From logits, one number per
item: `rank_of_truth`, `negative_log_likelihood`, `brier_score`, `confidence`. From those, one
number for all. Of classes with equal logits, the lower index always ranks first.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from clipfg.errors import DataError

CALIBRATION_BINS = 15
"""How many bins of equal width confidences are sorted into for the calibration error."""


def check_logits(logits: Tensor, labels: Tensor) -> None:
    """Raises `DataError` unless there is a label for each row, in range, and rows are finite."""
    if len(logits) != len(labels):
        raise DataError(
            f"Expected arguments `logits` and `labels` to have the same length,"
            f" got {len(logits)} and {len(labels)}."
        )
    _check_range("labels", labels, logits.shape[1])
    if not torch.isfinite(logits).all():
        raise DataError("Expected argument `logits` to be finite, got NaN or infinity.")


def _check_range(name: str, indices: Tensor, classes: int) -> None:
    if len(indices) and (int(indices.min()) < 0 or int(indices.max()) >= classes):
        raise DataError(
            f"Expected argument `{name}` to hold class indices from 0 to {classes - 1},"
            f" got {int(indices.min())} to {int(indices.max())}."
        )


def check_hits(name: str, values: Tensor, hits: Tensor) -> None:
    """Raises `DataError` unless there is a value for each hit, at least one, and none is NaN."""
    if len(values) != len(hits) or not len(hits):
        raise DataError(
            f"Expected arguments `{name}` and `hits` to have the same length above 0,"
            f" got {len(values)} and {len(hits)}."
        )
    check_not_nan(name, values)


def check_not_nan(name: str, values: Tensor) -> None:
    """Raises `DataError` where a value is NaN, which has no place in any order."""
    if count := int(values.isnan().sum()):
        raise DataError(f"Expected numbers in argument `{name}`, got NaN {count:,} times.")


def rank_of_truth(logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """How many classes score higher than the true one: 0 means that the prediction is correct.

    Raises `DataError` for unequal lengths, labels outside `0..c-1` and logits that are not finite
    (a NaN compares false with everything and would count as correct).
    """
    check_logits(logits, labels)
    own = logits.gather(1, labels.long()[:, None])
    earlier = torch.arange(logits.shape[1], device=logits.device) < labels[:, None]
    return ((logits > own) | ((logits == own) & earlier)).sum(dim=1)


def negative_log_likelihood(
    logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """`-log softmax(logits)[label]` of each item in nats, at least 0; log(c) is chance.

    Raises `DataError` as `rank_of_truth` does.
    """
    check_logits(logits, labels)
    return cross_entropy(logits.float(), labels.long(), reduction="none")


def brier_score(logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """`sum_k (softmax(logits)[k] - [k = label])^2` of each item, from 0 (sure and right) to 2.

    With two classes it is twice the score that counts one class alone. Raises `DataError` as
    `rank_of_truth` does.

    Source: Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2, equation 2.
    """
    check_logits(logits, labels)
    shares = logits.float().softmax(dim=1)
    own = shares.gather(1, labels.long()[:, None])[:, 0]
    return shares.square().sum(dim=1) - 2 * own + 1


def confidence(logits: Float[Tensor, "*n c"]) -> Float[Tensor, "*n"]:
    """The softmax probability of the predicted class, from 1/c to 1."""
    return logits.float().softmax(dim=-1).amax(dim=-1)


def calibration_gaps(
    confidences: Float[Tensor, " n"], hits: Bool[Tensor, " n"], bins: int = CALIBRATION_BINS
) -> Float[Tensor, "n bins"]:
    """Hit minus confidence of each item in the column of its bin, 0 in the other columns.

    Bin `i` of equal width holds the confidences in `(i / bins, (i + 1) / bins]`.
    """
    own = (confidences * bins).ceil().long().sub(1).clamp(0, bins - 1)
    gaps = torch.zeros(len(hits), bins, dtype=torch.double, device=hits.device)
    return gaps.scatter_(1, own[:, None], (hits.double() - confidences.double())[:, None])


def expected_calibration_error(
    confidences: Float[Tensor, " n"], hits: Bool[Tensor, " n"], bins: int = CALIBRATION_BINS
) -> Float[Tensor, ""]:
    """The distance between confidence and accuracy, from 0 (calibrated) to 1.

    `ECE = sum_b n_b / n * |accuracy_b - confidence_b|` over `bins` of equal width. It is biased
    upwards in small samples: even a calibrated model scores above 0.

    Raises `DataError` for no items, unequal lengths or confidences outside 0 to 1.

    Source: Guo et al. 2017, arXiv:1706.04599, equations 3 to 5.
    """
    check_hits("confidences", confidences, hits)
    if not ((confidences >= 0) & (confidences <= 1)).all():
        raise DataError("Expected argument `confidences` to lie between 0 and 1.")
    return calibration_gaps(confidences, hits, bins).sum(dim=0).abs().sum() / len(hits)


def class_counts(
    predictions: Int[Tensor, " n"], labels: Int[Tensor, " n"], classes: int
) -> Int[Tensor, "c 3"]:
    """For each class: items of it, items predicted as it, and items that are both.

    Raises `DataError` for indices outside `0..classes-1`.
    """
    _check_range("predictions", predictions, classes)
    _check_range("labels", labels, classes)
    both = labels[predictions == labels]
    counted = (torch.bincount(x.long(), minlength=classes) for x in (labels, predictions, both))
    return torch.stack(tuple(counted), dim=1)


def per_class_accuracy(counts: Int[Tensor, "c 3"]) -> Float[Tensor, " c"]:
    """The share of each class's items classified correctly (recall); NaN if it has no items."""
    present, _, both = counts.double().unbind(1)
    return both / present


def per_class_precision(counts: Int[Tensor, "c 3"]) -> Float[Tensor, " c"]:
    """The share of each class's predictions that are correct; NaN if it is never predicted."""
    _, predicted, both = counts.double().unbind(1)
    return both / predicted


def per_class_f1(counts: Int[Tensor, "c 3"]) -> Float[Tensor, " c"]:
    """`2 TP / (2 TP + FP + FN)` of each class; NaN if it has no items.

    A class without items has no recall, so its F1 would only penalise gaps in the test set.
    """
    present, predicted, both = counts.double().unbind(1)
    return torch.where(present > 0, 2 * both / (present + predicted), torch.nan)


def confusion_counts(
    predictions: Int[Tensor, " n"], labels: Int[Tensor, " n"]
) -> Int[Tensor, "pairs 3"]:
    """Rows `(true, predicted, count)` of the confusion matrix's non-zero cells, in index order.

    Sparse, because 10,000 classes squared would be 800 MB of mostly zeros.
    """
    pairs = torch.stack((labels, predictions), dim=1).long()
    cells, counts = torch.unique(pairs, dim=0, return_counts=True)
    return torch.cat((cells, counts[:, None]), dim=1)


def average_precision(
    scores: Float[Tensor, "q n"], relevant: Bool[Tensor, "q n"]
) -> Float[Tensor, " q"]:
    """The mean, over a query's relevant items, of the precision down to each; NaN without any.

    Items of equal score count together. The mean over queries is mAP; where the rows are classes
    and their columns images, it is mAP of labels of which an image may have several. From 0 to 1.

    Raises `DataError` for scores that are NaN.

    Source: Manning, Raghavan and Schütze 2008, Introduction to Information Retrieval, section 8.4.
    """
    check_not_nan("scores", scores)
    counts = relevant.sum(dim=1)
    own = torch.where(relevant, scores, -torch.inf).topk(int(counts.max()), dim=1).values
    # of a tie, every item stands at the place of the last
    precision = _at_least(own, own) / _at_least(scores, own)
    counted = torch.arange(own.shape[1], device=own.device) < counts[:, None]
    return torch.where(counted, precision, 0).sum(dim=1) / counts


def _at_least(scores: Float[Tensor, "q n"], of: Float[Tensor, "q r"]) -> Float[Tensor, "q r"]:
    """How many of a row's scores are as high as each of `of`."""
    rising = scores.contiguous().sort(dim=1).values
    return scores.shape[1] - torch.searchsorted(rising, of.contiguous()).double()


def recall_at_k(
    scores: Float[Tensor, "q n"], relevant: Bool[Tensor, "q n"], k: int
) -> Float[Tensor, " q"]:
    """1 where one of a query's `k` best items is relevant, else 0; NaN where none of all is.

    That is Recall@k of image retrieval, a hit or none, not the share of relevant items found. Of
    equal scores the lower index ranks first.

    Raises `DataError` for scores that are NaN and a `k` below 1.

    Source: Jegou, Douze and Schmid 2011, doi:10.1109/TPAMI.2010.57, section V.
    """
    check_not_nan("scores", scores)
    if k < 1:
        raise DataError(f"Expected argument `k` of at least 1, got {k}.")
    return torch.where(relevant.any(dim=1), (first_hit(scores, relevant) < k).double(), torch.nan)


def first_hit(scores: Float[Tensor, "q n"], relevant: Bool[Tensor, "q n"]) -> Int[Tensor, " q"]:
    """The rank, from 0, of each query's best relevant item; at least n where no item is relevant.

    Of equal scores the lower index ranks first.
    """
    best = torch.where(relevant, scores, -torch.inf).amax(dim=1, keepdim=True)
    equal = scores == best
    place = (relevant & equal).int().argmax(dim=1)
    before = torch.arange(scores.shape[1], device=scores.device) < place[:, None]
    return ((scores > best) | (equal & before)).sum(dim=1)
