"""From answers for bags, and the labels that nothing else sees, to a report."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipfg.evaluation.bags.report import BagCell
from clipfg.evaluation.statistics.auc import auc_difference, auc_over
from clipfg.evaluation.statistics.repeated import accuracy_over, difference_over
from clipfg.workflows.bags.trials import BagTrial


def judge(trials: Sequence[BagTrial], labels: NDArray[np.int64]) -> tuple[BagCell, ...]:
    """A cell for each trial on bags of `labels` `[n]`; all are compared with the first."""
    cells = []
    margins = [_margins(trial.logits) for trial in trials]
    hits = [trial.logits.argmax(axis=2) == labels for trial in trials]
    for trial, right, margin in zip(trials, hits, margins, strict=True):
        others = trial is not trials[0]
        cells.append(
            BagCell(
                head=trial.head,
                top1=accuracy_over(right),
                auc=auc_over(margin, labels),
                by_seed=tuple(right.mean(axis=1).tolist()),
                seconds=trial.seconds,
                against=difference_over(hits[0], right) if others else None,
                auc_against=auc_difference(margins[0], margin, labels) if others else None,
            )
        )
    return tuple(cells)


def _margins(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each class's log-odds against all others `[s, n, c]`."""
    top = logits.max(axis=2, keepdims=True)
    powers = np.exp(logits - top)
    rest = powers.sum(axis=2, keepdims=True) - powers
    return logits - top - np.log(np.maximum(rest, np.finfo(np.float64).tiny))
