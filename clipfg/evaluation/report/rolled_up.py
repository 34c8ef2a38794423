"""Accuracy of answers that climb the taxonomy until they are probable enough."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from clipfg.evaluation.statistics.intervals import proportion
from clipfg.types import ClassList, Estimate


@dataclass(frozen=True)
class RolledUp:
    """Answers of at least the probability `level`, on `n` labelled images.

    `at_class` and `at_group` are the shares of images answered with a class and with a group; the
    others have no answer. `right` is the share of answers that are the true class or a group above
    it; None without answers.
    """

    level: float
    n: int
    at_class: float
    at_group: float
    right: Estimate | None


def rolled_up(predictions: Path, classes: ClassList, level: float) -> RolledUp | None:
    """From the columns `label` and `answer` of a predictions file; None where it has no labels."""
    table = pq.read_table(predictions, columns=["label", "answer"]).to_pylist()
    rows = [(row["label"], row["answer"]) for row in table if row["label"] is not None]
    if not rows:
        return None
    answered = [(label, answer) for label, answer in rows if answer is not None]
    at_class = sum(answer in classes for _, answer in answered)
    right = sum(answer in (label, *classes.lineage(label)) for label, answer in answered)
    n, at_group = len(rows), len(answered) - at_class
    share = proportion(right, len(answered)) if answered else None
    return RolledUp(level, n, at_class / n, at_group / n, share)
