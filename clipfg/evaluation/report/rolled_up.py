"""How right answers are that climb the taxonomy until they are likely enough."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from clipfg.evaluation.statistics.intervals import proportion
from clipfg.types import ClassList, Estimate


@dataclass(frozen=True)
class RolledUp:
    """Answers at a level of probability, on `n` labelled images.

    Attributes
    ----------
    level
        The probability that an answer must have.
    at_class, at_group
        Shares of images answered with a class, and with a group; the others have no answer.
    right
        The share of answers that are the true class or a group above it; None without answers.
    """

    level: float
    n: int
    at_class: float
    at_group: float
    right: Estimate | None


def rolled_up(
    predictions: Path, classes: ClassList, level: float, seed: int = 0
) -> RolledUp | None:
    """From the columns `label` and `answer` of a predictions file; None where no label is known."""
    table = pq.read_table(predictions, columns=["label", "answer"]).to_pylist()
    rows = [(row["label"], row["answer"]) for row in table if row["label"] is not None]
    if not rows:
        return None
    lineages = {name: {name, *classes.lineage(name)} for name in classes.names}
    given = [(label, answer) for label, answer in rows if answer is not None]
    right = sum(answer in lineages[label] for label, answer in given)
    return RolledUp(
        level=level,
        n=len(rows),
        at_class=float(np.mean([answer in classes for _, answer in rows])),
        at_group=sum(answer not in classes for _, answer in given) / len(rows),
        right=proportion(right, len(given), seed) if given else None,
    )
