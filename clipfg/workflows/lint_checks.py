"""What may be wrong with pictures and their labels, told from their features."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from clipfg.data.sources import read
from clipfg.errors import ItemError
from clipfg.functional.calibration import temperature
from clipfg.functional.neighbours import nearest_neighbours
from clipfg.heads import HEADS
from clipfg.heads.held_out import held_out_logits
from clipfg.heads.support import Support
from clipfg.mining.confident_learning import confident_learning
from clipfg.mining.near_copies import equal_rows
from clipfg.mining.outliers import outliers
from clipfg.types import UNLABELLED, ClassList
from clipfg.workflows.near_copies import find_near_copies
from clipfg.workflows.pooling import Pool

logger = logging.getLogger("clipfg")

Level = Literal["error", "warning"]

NEIGHBOURS = 10
HEAD = "whitened-mean"
LIKELY = 0.5
IMBALANCE = 10
"""How many times the median class's pictures are many, and what share of it is few."""

KINDS: dict[str, str] = {
    "unreadable": "pictures that cannot be read",
    "leak": "the same picture in two splits",
    "contradiction": "the same picture with two labels",
    "copy": "the same picture twice",
    "near-leak": "almost the same picture in two splits",
    "near-contradiction": "almost the same picture with two labels",
    "near-copy": "almost the same picture twice",
    "label": "labels that the other pictures speak against",
    "outlier": "pictures far from all others",
    "class-name": "class names that are alike or too long",
    "class-size": "classes with no, one, few or very many pictures",
}
"""Every kind of finding, the gravest first."""


@dataclass(frozen=True)
class LintFinding:
    """One remark on the data.

    `id` is a picture's, or a class's name for the kinds that begin with `class`; `other` is the
    picture beside it, or the class that is meant. `score` is what findings of a kind are ranked by,
    the largest first: a cosine, a probability or a distance.
    """

    kind: str
    level: Level
    id: str
    what: str
    other: str | None = None
    score: float = 1.0


@dataclass(frozen=True)
class Gathered:
    """The pictures that could be read, with the split of each, and their class list or None."""

    pool: Pool
    splits: list[str | None]
    classes: ClassList | None

    def label(self, row: int) -> str:
        """The name of a row's class; nothing where it has none."""
        known = self.pool.labels[row] != UNLABELLED and self.classes is not None
        return self.classes.names[self.pool.labels[row]] if known and self.classes else ""

    def differ(self, a: int, b: int) -> tuple[bool, bool]:
        """Whether two rows are in different splits, and whether they have different labels."""
        splits = self.splits[a] != self.splits[b] and None not in (self.splits[a], self.splits[b])
        labels = self.label(a) != self.label(b) and "" not in (self.label(a), self.label(b))
        return splits, labels


def check_pictures(data: Gathered, seed: int) -> list[LintFinding]:
    """Copies, near copies, doubtful labels and outliers; each content is looked at once."""
    found: list[LintFinding] = []
    first = equal_rows(data.pool.features)
    found += copies(data, first)
    rows = torch.unique(first)
    if len(rows) > 1:
        x = data.pool.features[rows]
        cosines, neighbours = nearest_neighbours(x, NEIGHBOURS)
        found += near_copies(data, rows, cosines, neighbours)
        found += far_pictures(data, rows, cosines)
    found += doubtful_labels(data, rows, seed)
    return found


def copies(data: Gathered, first: Tensor) -> Iterator[LintFinding]:
    """Rows whose feature is that of an earlier one; `first` is of `equal_rows`.

    Of several copies one in the train split stands for all, else the first. Where the bytes can be
    read and differ, the pictures look the same to the encoder and no more is claimed.
    """
    groups: dict[int, list[int]] = {}
    for row, origin in enumerate(first.tolist()):
        groups.setdefault(origin, []).append(row)
    for members in groups.values():
        if len(members) < 2:
            continue
        anchor = next((row for row in members if data.splits[row] == "train"), members[0])
        content = _content(data.pool.uris[anchor])
        for row in members:
            if row != anchor:
                near = _content(data.pool.uris[row]) != content
                told = "the same to the encoder" if near else "the same content"
                yield from _pair(data, row, anchor, 1.0, told, near)


def _content(uri: str) -> bytes | None:
    """A hash of the bytes at `uri`; None for features from a file, which have no picture."""
    try:
        return blake2b(read(uri), digest_size=16).digest()
    except ItemError:
        return None


def near_copies(
    data: Gathered, rows: Tensor, cosines: Tensor, neighbours: Tensor
) -> Iterator[LintFinding]:
    """Pairs that are one picture, cropped, resized, mirrored or saved anew."""
    uris = [data.pool.uris[row] for row in rows.tolist()]
    for a, b, score, measure in find_near_copies(uris, cosines, neighbours):
        told = f"{measure} {score:.3f}"
        yield from _pair(data, int(rows[b]), int(rows[a]), score, told, near=True)


def _pair(
    data: Gathered, a: int, b: int, score: float, told: str, near: bool
) -> Iterator[LintFinding]:
    splits, labels = data.differ(a, b)
    prefix = "near-" if near else ""
    level: Level = "warning" if near else "error"
    one, other = data.pool.ids[a], data.pool.ids[b]
    if splits:
        what = f"{data.splits[a]} and {data.splits[b]}, {told}"
        yield LintFinding(f"{prefix}leak", level, one, what, other, score)
    if labels:
        what = f"{data.label(a)!r} and {data.label(b)!r}, {told}"
        yield LintFinding(f"{prefix}contradiction", level, one, what, other, score)
    if not splits and not labels:
        yield LintFinding(f"{prefix}copy", "warning", one, told, other, score)


def far_pictures(data: Gathered, rows: Tensor, cosines: Tensor) -> Iterator[LintFinding]:
    """Pictures whose neighbours are farther away than other pictures' by far."""
    found = outliers(cosines)
    for i in found.far.nonzero().flatten().tolist():
        distance = float(found.distances[i])
        what = f"its neighbours are at a distance of {distance:.3f}, most below {found.fence:.3f}"
        yield LintFinding("outlier", "warning", data.pool.ids[int(rows[i])], what, None, distance)


def doubtful_labels(data: Gathered, rows: Tensor, seed: int) -> Iterator[LintFinding]:
    """Labels that a head fitted on the other folds speaks against.

    Needs two classes with two pictures each; a class's only picture cannot be judged. A head that
    does not know what else a picture might be says nothing about its label: only where one other
    class is likelier than all the rest together is the label doubted.
    """
    labels = torch.from_numpy(data.pool.labels)[rows]
    rows, labels = rows[labels != UNLABELLED], labels[labels != UNLABELLED]
    present, labels = torch.unique(labels, return_inverse=True)
    if data.classes is None or (torch.bincount(labels) > 1).sum() < 2:
        return
    support = Support.of("lint", data.pool.features[rows], labels, None)
    logits, judged = held_out_logits(lambda: HEADS.get(HEAD)(**{"seed": seed}), support, seed)
    logits, labels, rows = logits[judged], labels[judged], rows[judged]
    probabilities = (logits / temperature(logits, labels)).softmax(dim=1)
    doubts = confident_learning(probabilities, labels)
    agreed = float((doubts.suggested == labels).double().mean())
    logger.info(
        f"Labels: a head that has not seen them names {agreed:.0%} of {len(labels):,} pictures as"
        " labelled; the lower that is, the more doubts are the head's own mistakes"
    )
    for i in doubts.suspects.nonzero().flatten().tolist():
        row, own = int(rows[i]), float(doubts.confidence[i])
        other = data.classes.names[int(present[doubts.suggested[i]])]
        share = float(probabilities[i, doubts.suggested[i]])
        if share < LIKELY:
            continue
        what = f"labelled {data.label(row)!r} ({own:.1%}), more like {other!r} ({share:.0%})"
        yield LintFinding("label", "warning", data.pool.ids[row], what, other, 1 - own)


def class_sizes(labels: np.ndarray, classes: ClassList) -> Iterator[LintFinding]:
    """Classes with no picture, with one, and with ten times fewer or more than the median has."""
    counts = np.bincount(labels[labels != UNLABELLED], minlength=len(classes))
    if not counts.any():
        return
    median = float(np.median(counts[counts > 0]))
    for name, count in zip(classes.names, counts.tolist(), strict=True):
        if count == 0:
            what = "has no picture"
        elif count == 1:
            what = "has one picture: nothing can be learnt from it and tested too"
        elif count * IMBALANCE <= median or count >= IMBALANCE * median:
            what = f"has {count:,} pictures, the median class {median:,.0f}"
        else:
            continue
        ratio = (count + 1) / (median + 1)
        yield LintFinding("class-size", "warning", name, what, None, max(ratio, 1 / ratio))
