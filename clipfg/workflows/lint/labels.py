"""Labels that the other images speak against."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from clipfg.heads.held_out import CrossFit
from clipfg.heads.support import Support
from clipfg.heads.whitened_mean import WhitenedMean
from clipfg.quality.confident_learning import confident_learning
from clipfg.types import UNLABELLED
from clipfg.workflows.lint.findings import LintData, LintFinding

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class HeldOutProbabilities:
    """Probabilities of held-out images by blocks of rows: all may be more than memory holds."""

    fitted: CrossFit
    factor: float

    @classmethod
    def of(cls, support: Support, seed: int) -> "HeldOutProbabilities":
        """By a head that has not seen them; its temperature is told from some thousands of them."""
        head = WhitenedMean(seed=seed).fit(support.features, support.labels, groups=support.groups)
        fitted = CrossFit.of(head, support, seed)
        return cls(fitted, fitted.among(support.validation_rows(seed)).factor)

    @property
    def rows(self) -> Tensor:
        """The positions in the support that they are of."""
        return self.fitted.order

    def __iter__(self) -> Iterator[Tensor]:
        for logits in self.fitted.blocks():
            yield (self.factor * logits).softmax(dim=1)


def label_issues(data: LintData, rows: Tensor, seed: int) -> Iterator[LintFinding]:
    """Labels that a head fitted on the other folds speaks against.

    Needs two classes with two images each; a class's only image cannot be judged. Which and how
    many labels are doubted says `LabelIssues.clearest`.
    """
    labels = torch.from_numpy(data.pool.labels)[rows]
    rows, labels = rows[labels != UNLABELLED], labels[labels != UNLABELLED]
    present, labels = torch.unique(labels, return_inverse=True)
    if data.classes is None or (torch.bincount(labels) > 1).sum() < 2:
        return
    groups = None if data.pool.groups is None else data.pool.groups[rows]
    support = Support.of("lint", data.pool.features[rows], labels, None, groups=groups)
    if not len(support.held_out([seed])):
        return
    odds = HeldOutProbabilities.of(support, seed)
    rows, labels = rows[odds.rows], labels[odds.rows]
    doubts = confident_learning(odds, labels, len(present))
    agreed = float((doubts.suggested == labels).double().mean())
    logger.info(
        f"Labels: cross-validated predictions agree with {agreed:.0%} of {len(labels):,} labels;"
        " the lower this is, the more label warnings are false alarms"
    )
    for i in doubts.clearest().nonzero().flatten().tolist():
        row, own = int(rows[i]), float(doubts.confidence[i])
        other = data.classes.names[int(present[doubts.suggested[i]])]
        share = float(doubts.share[i])
        what = f"labelled {data.label(row)!r} ({own:.1%}), more like {other!r} ({share:.0%})"
        yield LintFinding(
            "label", "warning", data.pool.ids[row], what, other, float(doubts.odds[i])
        )
