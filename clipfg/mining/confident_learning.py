"""Confident learning: how many labels of each class are likely wrong, and which."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.errors import DataError


class Doubts(NamedTuple):
    """What is doubted of each label.

    Attributes
    ----------
    suspects
        Labels that are likely wrong.
    confidence
        `p[label]`, from 0 to 1: rank suspects by it, the lowest first.
    suggested
        The likeliest class.
    noise
        The estimated share of wrong labels, from 0 to 1.
    """

    suspects: Bool[Tensor, " n"]
    confidence: Float[Tensor, " n"]
    suggested: Int[Tensor, " n"]
    noise: float


def confident_learning(probabilities: Float[Tensor, "n c"], labels: Int[Tensor, " n"]) -> Doubts:
    """As many suspects as the confident joint counts wrong labels: the least confident ones.

    An item is confidently of class `j` when `p_j >= t_j`, with the threshold `t_j` the mean of
    `p_j` over the items labelled `j`. `C[i, j]` counts items labelled `i` whose likeliest such
    class is `j`. Of the `n_i` items labelled `i`, `n_i (1 - C[i, i] / sum_j C[i, j])` are taken to
    be labelled wrongly. Their sum, rounded, is the number of suspects: those of the lowest
    `p[label]` among all whose likeliest class is another.

    `probabilities` must be of items that the classifier was not fitted on. A class with no item has
    no threshold, and no item is confidently of it.

    Raises `DataError` for unequal lengths and labels out of range.

    Source: Northcutt et al. 2021, arXiv:1911.00068, equations 1 to 3, ranked by self-confidence
    over all classes. Pruning within each class, or by the joint's off-diagonals, found less of
    what was planted (docs/lint.md).
    """
    n, c = probabilities.shape
    if len(labels) != n or (n and not 0 <= int(labels.min()) <= int(labels.max()) < c):
        raise DataError(f"Expected {n} labels from 0 to {c - 1}, one for each row.")
    own = probabilities.gather(1, labels[:, None]).flatten().float()
    suggested = probabilities.argmax(dim=1)
    counts = torch.bincount(labels, minlength=c)
    wrong = counts * _shares_off_diagonal(probabilities, labels, own, counts)
    doubted = suggested != labels
    count = min(round(float(wrong.sum())), int(doubted.sum()))
    suspects = torch.zeros(n, dtype=torch.bool)
    suspects[torch.argsort(own + 2.0 * ~doubted, stable=True)[:count]] = True
    return Doubts(suspects, own, suggested, float(wrong.sum()) / max(n, 1))


def _shares_off_diagonal(
    probabilities: Tensor, labels: Tensor, own: Tensor, counts: Tensor
) -> Tensor:
    """`1 - C[i, i] / sum_j C[i, j]` of each class, 0 where nothing is confident."""
    c = len(counts)
    thresholds = torch.zeros(c).index_add_(0, labels, own) / counts  # no item: NaN, never reached
    confident = probabilities >= thresholds
    counted = confident.any(dim=1)
    likeliest = probabilities.masked_fill(~confident, -1).argmax(dim=1)
    rows = torch.bincount(labels[counted], minlength=c)
    diagonal = torch.bincount(labels[counted & (likeliest == labels)], minlength=c)
    return torch.where(rows > 0, 1 - diagonal / rows.clamp_min(1), 0.0)
