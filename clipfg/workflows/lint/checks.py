"""Everything that is checked of images and of how many each class has."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.embedding.thumbnails import Thumbnails
from clipfg.functional.neighbours import nearest_neighbours
from clipfg.quality.outliers import outliers
from clipfg.store.index import Index
from clipfg.types import UNLABELLED, ClassList, Progress
from clipfg.workflows.lint.duplicates import copies, groups_of_equals, near_copies, representatives
from clipfg.workflows.lint.findings import LintData, LintFinding
from clipfg.workflows.lint.groups import group_leaks, group_signs
from clipfg.workflows.lint.labels import label_issues
from clipfg.workflows.lint.pictures import Pictures

NEIGHBOURS = 10
EXACT = 20_000
"""Images up to which neighbours are found by comparing all with all; of more, by an index."""
IMBALANCE = 10
"""How many times the median class's images are many, and what share of it is few."""


def check_images(
    data: LintData, thumbnails: Thumbnails, seed: int, progress: Progress | None = None
) -> list[LintFinding]:
    """Copies, groups, poor pictures, doubtful labels and outliers; each content once."""
    groups = groups_of_equals(data.pool.features)
    found = list(copies(data, groups))
    rows = representatives(data, groups)
    pictures = Pictures.of(data, thumbnails, progress)
    found += pictures.faults
    if len(rows) > 1:
        x = data.pool.features if len(rows) == len(data.pool) else data.pool.features[rows]
        cosines, neighbours = neighbours_of(x, NEIGHBOURS, seed)
        found += near_copies(data, rows, cosines, neighbours, pictures.hashes, thumbnails)
        found += far_images(data, rows, cosines)
    found += [*group_leaks(data), *group_signs(data, found)]
    found += label_issues(data, rows, seed)
    return found


def neighbours_of(
    x: Float[Tensor, "n d"], k: int, seed: int
) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
    """Cosines and positions of the nearest other rows: exact, or of many rows nearly so.

    The lists of the index are as many as there are images in each, so that time grows with
    `n ** 1.5`.
    """
    n = len(x)
    if n <= EXACT:
        return nearest_neighbours(x, k)
    keys = np.ascontiguousarray(x.numpy())
    index = Index(f"IVF{round(n**0.5)},Flat", seed)
    hits = index.search(keys, keys, k + 1, lambda rows: [f"{row:012d}" for row in rows.tolist()])
    others = hits.positions != np.arange(n)[:, None]
    others[others.all(axis=1), -1] = False  # not its own neighbour, by a tie or a miss
    parts = (part[others].reshape(n, k) for part in (hits.scores, hits.positions))
    cosines, near = map(torch.from_numpy, parts)
    return cosines, near


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
