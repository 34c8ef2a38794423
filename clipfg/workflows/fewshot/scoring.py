"""From predictions, and the test labels that nothing else sees, to a learning curve."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipfg.evaluation.curves.learning_curve import LearningCurve, LearningCurveCell
from clipfg.evaluation.statistics.repeated import accuracy_over, difference_over
from clipfg.workflows.fewshot.heads import HeadSet
from clipfg.workflows.fewshot.trials import Trial


def judge(
    heads: HeadSet,
    trials: Sequence[Trial],
    labels: NDArray[np.int64],
    classes: int,
    groups: NDArray[np.int64] | None = None,
) -> LearningCurve:
    """The learning curve on `labels` `[n]`; heads are compared with the first at equal shots.

    Items of one of the `groups` `[n]` are not independent.
    """
    hits = [trial.predictions == labels for trial in trials]
    own = {t.shots: h for t, h in zip(trials, hits, strict=True) if t.spec == heads.first}
    cells = []
    for trial, right in zip(trials, hits, strict=True):
        against = None
        if trial.spec != heads.first and trial.shots in own:
            against = difference_over(own[trial.shots], right, groups)
        counts = np.bincount(labels, minlength=classes)
        correct = np.bincount(labels, weights=right.mean(axis=0), minlength=classes)
        cells.append(
            LearningCurveCell(
                head=trial.spec.name,
                shots=trial.shots,
                per_class=trial.per_class,
                top1=accuracy_over(right, groups),
                by_seed=tuple(right.mean(axis=1).tolist()),
                mean_per_class=float((correct[counts > 0] / counts[counts > 0]).mean()),
                seconds=trial.seconds,
                against=against,
                transductive=trial.spec.method is not None,
            )
        )
    return LearningCurve(len(labels), classes, heads.first.name, tuple(cells))
