"""The tables of a report: classes, confusions, levels of the taxonomy."""

import numpy as np

from clipfg.evaluation.report.report import ClassRow, Confusion, LevelRow
from clipfg.evaluation.statistics.intervals import proportion
from clipfg.evaluation.statistics.outcomes import Outcomes
from clipfg.functional import metrics
from clipfg.types import ClassList

CONFUSIONS_KEPT = 50


def class_rows(outcomes: Outcomes, classes: ClassList) -> tuple[ClassRow, ...]:
    """A row for every class, in the list's order, those without items included."""
    counts = metrics.class_counts(outcomes.predictions, outcomes.labels, len(classes))
    sizes = counts[:, 0]
    near = np.bincount(outcomes.labels, weights=outcomes.in_top_k, minlength=len(classes))
    with np.errstate(invalid="ignore"):
        columns = (
            metrics.per_class_accuracy(counts),
            near / sizes,
            metrics.per_class_precision(counts),
            metrics.per_class_f1(counts),
        )
    return tuple(
        ClassRow(name, int(sizes[i]), *(None if np.isnan(c[i]) else float(c[i]) for c in columns))
        for i, name in enumerate(classes.names)
    )


def confusions(outcomes: Outcomes, classes: ClassList) -> tuple[Confusion, ...]:
    """The `CONFUSIONS_KEPT` most frequent mistakes, most frequent first."""
    cells = metrics.confusion_counts(outcomes.predictions, outcomes.labels)
    mistakes = cells[cells[:, 0] != cells[:, 1]]
    sizes = np.bincount(outcomes.labels, minlength=len(classes))
    # most frequent first; among equals the larger share of its class, then index order
    order = np.lexsort((mistakes[:, 1], mistakes[:, 0], sizes[mistakes[:, 0]], -mistakes[:, 2]))
    return tuple(
        Confusion(
            true=classes.names[true],
            predicted=classes.names[predicted],
            count=int(count),
            share=float(count / sizes[true]),
            ancestor=_common_ancestor(classes, int(true), int(predicted)),
        )
        for true, predicted, count in mistakes[order[:CONFUSIONS_KEPT]]
    )


def _common_ancestor(classes: ClassList, one: int, other: int) -> str | None:
    above = set(classes.lineage(classes.names[other]))
    return next((node for node in classes.lineage(classes.names[one]) if node in above), None)


def level_rows(outcomes: Outcomes, classes: ClassList) -> tuple[LevelRow, ...]:
    """How often the prediction's ancestor is the true one, level by level upwards."""
    lineages = [classes.lineage(name) for name in classes.names]
    rows = []
    for level in range(1, max(map(len, lineages)) + 1):
        names = [above[level - 1] if len(above) >= level else None for above in lineages]
        nodes = {node: i for i, node in enumerate(dict.fromkeys(filter(None, names)))}
        group = np.array([nodes[node] if node else -1 for node in names], dtype=np.int32)
        part = outcomes.select(group[outcomes.labels] >= 0)
        if not len(part) or len(nodes) < 2:
            continue
        truth = group[part.labels]
        right = int((truth == group[part.predictions]).sum())
        members = np.bincount(group[group >= 0], minlength=len(nodes)) / len(group)
        rows.append(
            LevelRow(
                level=level,
                groups=len(nodes),
                n=len(part),
                accuracy=proportion(right, len(part)),
                chance=float(members[truth].mean()),
                name=classes.levels[level - 1] if level <= len(classes.levels) else "",
            )
        )
    return tuple(rows)
