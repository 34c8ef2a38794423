"""Confident learning: how many labels of each class are likely wrong, and which ones."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.errors import DataError

LIKELY = 0.5
"""The probability of one other class from which it is likelier than all the rest together."""


class LabelIssues(NamedTuple):
    """Which labels are likely wrong, and the estimated share of wrong ones.

    `confidence` is `p[label]`: rank suspects by it, the lowest first. `suggested` is the most
    likely class and `share` its probability.
    """

    suspects: Bool[Tensor, " n"]
    confidence: Float[Tensor, " n"]
    suggested: Int[Tensor, " n"]
    share: Float[Tensor, " n"]
    noise: float

    @property
    def odds(self) -> Float[Tensor, " n"]:
        """`log(share / confidence)`: how much likelier the most likely class is than the label."""
        return self.share.log() - self.confidence.clamp_min(1e-12).log()

    def clearest(self) -> Bool[Tensor, " n"]:
        """As many as those suspects of which another class is `LIKELY`, those of the highest odds.

        A classifier that is often wrong finds more suspects than there are wrong labels: the number
        of those that it is sure of is closer. But which these are says more of how easy an image
        is than of its label; the odds find more planted errors (docs/benchmarks/lint.md).
        """
        count = int((self.suspects & (self.share >= LIKELY)).sum())
        found = torch.zeros_like(self.suspects)
        found[self.odds.argsort(descending=True, stable=True)[:count]] = True
        return found & (self.odds > 0)


def confident_learning(
    probabilities: Iterable[Float[Tensor, "b c"]], labels: Int[Tensor, " n"], classes: int
) -> LabelIssues:
    """As many suspects as the confident joint counts wrong labels: the least confident ones.

    An item is confidently of class `j` if `p_j >= t_j`, with the threshold `t_j` the mean of `p_j`
    over the items labelled `j`. `C[i, j]` counts items labelled `i` whose most likely such class is
    `j`. Of the `n_i` items labelled `i`, an estimated `n_i (1 - C[i, i] / sum_j C[i, j])` are
    labelled wrongly. Their sum, rounded, is the number of suspects: those of the lowest `p[label]`
    among all items whose most likely class is another.

    `probabilities` must be of items that the classifier was not fitted on. They are blocks of rows,
    in the order of the labels, and are iterated twice: a matrix `p` is `p.split(1000)`, and one too
    large for memory is an object that computes its blocks. A class without items has no threshold,
    and no item is confidently of it.

    Raises `DataError` for unequal lengths and labels out of range.

    Source: Northcutt et al. 2021, arXiv:1911.00068, equations 1 to 3, ranked by self-confidence
    over all classes. Pruning within each class, or by the joint's off-diagonals, found fewer
    planted errors (docs/lint.md).
    """
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise DataError(f"Expected labels from 0 to {classes - 1}, got some outside that range.")
    own, suggested, share = _likeliest(probabilities, labels)
    counts = torch.bincount(labels, minlength=classes)
    wrong = counts * _shares_off_diagonal(probabilities, labels, own, counts)
    doubted = suggested != labels
    count = min(round(float(wrong.sum())), int(doubted.sum()))
    suspects = torch.zeros(len(labels), dtype=torch.bool)
    suspects[torch.argsort(own + 2.0 * ~doubted, stable=True)[:count]] = True
    return LabelIssues(suspects, own, suggested, share, float(wrong.sum()) / max(len(labels), 1))


def _likeliest(probabilities: Iterable[Tensor], labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`p[label]`, the most likely class and its probability, of each item."""
    own = torch.empty(len(labels))
    suggested, share = torch.empty_like(labels), torch.empty(len(labels))
    start = 0
    for block in probabilities:
        place = slice(start, start + len(block))
        start += len(block)
        if start > len(labels):
            break
        own[place] = block.gather(1, labels[place, None])[:, 0].float()
        best = block.max(dim=1)
        suggested[place], share[place] = best.indices, best.values.float()
    if start != len(labels):
        raise DataError(f"Expected a label for each of {start:,} rows, got {len(labels):,}.")
    return own, suggested, share


def _shares_off_diagonal(
    probabilities: Iterable[Tensor], labels: Tensor, own: Tensor, counts: Tensor
) -> Tensor:
    """`1 - C[i, i] / sum_j C[i, j]` of each class, 0 without confident items."""
    c, start = len(counts), 0
    thresholds = torch.zeros(c).index_add_(0, labels, own) / counts  # no item: NaN, never reached
    rows, diagonal = torch.zeros(c), torch.zeros(c)
    for block in probabilities:
        given = labels[start : start + len(block)]
        start += len(block)
        best = block.masked_fill(~(block >= thresholds), -1).max(dim=1)
        counted = best.values >= 0
        rows += torch.bincount(given[counted], minlength=c)
        diagonal += torch.bincount(given[counted & (best.indices == given)], minlength=c)
    return torch.where(rows > 0, 1 - diagonal / rows.clamp_min(1), 0.0)
