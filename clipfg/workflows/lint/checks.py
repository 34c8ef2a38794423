"""Everything that is checked of images and of how many each class has."""

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from clipfg.functional.neighbours import nearest_neighbours
from clipfg.quality.outliers import outliers
from clipfg.types import UNLABELLED, ClassList
from clipfg.workflows.lint.duplicates import copies, groups_of_equals, near_copies, representatives
from clipfg.workflows.lint.findings import LintData, LintFinding
from clipfg.workflows.lint.groups import group_leaks, group_signs
from clipfg.workflows.lint.labels import label_issues

NEIGHBOURS = 10
IMBALANCE = 10
"""How many times the median class's images are many, and what share of it is few."""


def check_images(data: LintData, seed: int) -> list[LintFinding]:
    """Copies, near copies, groups, doubtful labels and outliers; each content is looked at once."""
    groups = groups_of_equals(data.pool.features)
    found = list(copies(data, groups))
    rows = representatives(data, groups)
    if len(rows) > 1:
        x = data.pool.features if len(rows) == len(data.pool) else data.pool.features[rows]
        cosines, neighbours = nearest_neighbours(x, NEIGHBOURS)
        found += near_copies(data, rows, cosines, neighbours)
        found += far_images(data, rows, cosines)
    found += [*group_leaks(data), *group_signs(data, found)]
    found += label_issues(data, rows, seed)
    return found


def far_images(data: LintData, rows: Tensor, cosines: Tensor) -> Iterator[LintFinding]:
    """Images whose neighbours are farther away than other images' by far."""
    found = outliers(cosines)
    for i in found.far.nonzero().flatten().tolist():
        distance = float(found.distances[i])
        what = f"mean distance to its neighbours is {distance:.3f}; threshold {found.fence:.3f}"
        yield LintFinding("outlier", "warning", data.pool.ids[int(rows[i])], what, None, distance)


def class_sizes(labels: np.ndarray, classes: ClassList) -> Iterator[LintFinding]:
    """Classes with no image, with one, and with ten times fewer or more than the median has."""
    counts = np.bincount(labels[labels != UNLABELLED], minlength=len(classes))
    if not counts.any():
        return
    median = float(np.median(counts[counts > 0]))
    for name, count in zip(classes.names, counts.tolist(), strict=True):
        if count == 0:
            what = "has no image"
        elif count == 1:
            what = "has one image, too few to train and test on"
        elif count * IMBALANCE <= median or count >= IMBALANCE * median:
            what = f"has {count:,} images, the median class has {median:,.0f}"
        else:
            continue
        ratio = (count + 1) / (median + 1)
        yield LintFinding("class-size", "warning", name, what, None, max(ratio, 1 / ratio))
