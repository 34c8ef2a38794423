"""What is trained on, what decides, and what is measured: three parts that share no picture."""

import logging
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from clipfg.embedding.framing import Framing
from clipfg.errors import DataError, UsageError
from clipfg.options import FinetuneOptions
from clipfg.types import UNLABELLED, Manifest
from clipfg.workflows.boxes import boxes_said, framing_of
from clipfg.workflows.dataset import Dataset, default_split
from clipfg.workflows.protocol.splits import TRAIN
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

VALIDATION, TEST = 0.1, 0.2
"""Shares of the images that are drawn where the data have no such split."""
UNSEEN = "unseen"
"""The value of the column `domain` of classes that an encoder is not to be trained on."""


@dataclass(frozen=True)
class Parts:
    """Images to learn from, to choose by, and to measure on.

    `unseen` `[c]` are the classes of which nothing is learnt; empty where there are no classes.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    unseen: Bool[np.ndarray, "c"]

    @property
    def each(self) -> tuple[Dataset, Dataset, Dataset]:
        """All three."""
        return self.train, self.validation, self.test


def open_parts(session: Session[FinetuneOptions]) -> Parts:
    """The split `train`, `val` and the test split of `--dataset`, or shares drawn by the seed.

    Pictures are kept whole: parts of one are in one of the three. Classes that the data call unseen
    (`domain`), or the share of `--unseen`, are left out of training. `--limit` bounds each part.

    Raises `UsageError` for data that does not say what may be learnt from, `DataError` where a part
    is empty.
    """
    options, whole = session.options, session.whole()
    if whole.features is not None:
        raise UsageError("Fine-tuning needs images, got features; name the data that they are of.")
    rng = np.random.default_rng([options.seed, 7])
    if splits := whole.manifest.splits:
        if TRAIN not in splits:
            raise UsageError(
                f"{whole.name} has no split {TRAIN!r} to learn from, only {', '.join(splits)}; give"
                " a column `split`, or data without splits, of which parts are drawn."
            )
        train = whole.select(TRAIN)
        test = whole.select(_test_split(options, whole))
        if "val" in splits and len(found := whole.select("val")) and not _same(found, test):
            validation = found
        else:
            train, validation = _drawn(train, VALIDATION, rng)
    else:
        rest, test = _drawn(whole, TEST, rng)
        train, validation = _drawn(rest, VALIDATION / (1 - TEST), rng)
        logger.warning(
            f"{whole.name} has no splits: {VALIDATION:.0%} of its images are held out to choose by"
            f" and {TEST:.0%} to measure on, drawn with seed {options.seed}. If near-identical"
            " images fall in both, the figures are inflated; give a column `split`."
        )
    unseen = _unseen(options, train, rng)
    if unseen.any():
        labels = train.manifest.labels
        train = train.rows(np.flatnonzero((labels == UNLABELLED) | ~unseen[labels]))
    train, validation, test = (
        _limited(each, options.limit, rng) for each in (train, validation, test)
    )
    parts = Parts(train, validation, test, unseen)
    for part, what in zip(parts.each, ("learn from", "choose by", "measure on"), strict=True):
        if not len(part):
            raise DataError(f"Expected images to {what}, {whole.name} has none.")
    logger.info(
        f"Parts: {len(parts.train):,} images to learn from, {len(parts.validation):,} to choose by,"
        f" {len(parts.test):,} to measure on"
        + (f"; {int(unseen.sum()):,} classes are kept out of training" if unseen.any() else "")
    )
    return parts


def framing_for(
    options: FinetuneOptions, parts: Parts, recipe: str, *, regions: bool
) -> Framing | None:
    """How training cuts the boxes of items out of their pictures; None for whole pictures.

    Recipes that learn from `regions` see pictures whole, and boxes as regions of them. Raises
    `UsageError` for what training cannot show, `DataError` where pictures that are seen whole would
    have several classes each.
    """
    if options.views or options.boxes_as == "region":
        flag = "--views" if options.views else "--boxes-as region"
        raise UsageError(
            f"{flag} cannot be combined with fine-tuning, which is shown each picture, or each box"
            " cut out of its picture, once."
        )
    train = parts.train.manifest
    if regions and (options.boxes_as or options.crop not in (None, "whole")):
        raise UsageError(
            f"Recipe {recipe} learns from boxes as regions of the whole picture, so they cannot be"
            " cut out; leave out --crop and --boxes-as, or take another recipe, such as flyp."
        )
    framings = () if regions else (framing_of(options, part.manifest) for part in parts.each)
    framing = next(filter(None, framings), None)
    several = 0 if framing else _of_several_classes(train)
    if several and not regions:
        raise DataError(
            f"Expected one class for each picture, as {recipe} is to see pictures whole, got boxes"
            f" of several in {several:,}; cut them out by --crop square, or use --distill, which"
            " learns from boxes as regions."
        )
    if several:
        logger.warning(
            f"{several:,} pictures have boxes of several classes, and {recipe} is shown pictures"
            " whole, so that accuracy on classes says little; flyp is shown boxes that are cut out."
        )
    elif not regions and (said := boxes_said(options, train)):
        logger.info(said)
    return framing


def _of_several_classes(data: Manifest) -> int:
    """The pictures whose boxes have several classes."""
    classes: dict[str, set[int]] = {}
    if "box" in data.table.column_names:
        for uri, label in zip(data.uris, data.labels.tolist(), strict=True):
            classes.setdefault(uri, set()).add(label)
    return sum(len(own) > 1 for own in classes.values())


def _test_split(options: FinetuneOptions, whole: Dataset) -> str:
    splits = whole.manifest.splits
    split = options.split or default_split(options.dataset, whole.manifest)
    split = split or ("val" if "val" in splits else None)
    if split is None or split in (TRAIN, "all"):
        raise UsageError(
            f"Expected a split to measure on that is not trained on, {whole.name} has"
            f" {', '.join(splits)}; name one by --split."
        )
    return split


def _same(one: Dataset, other: Dataset) -> bool:
    return one.manifest.ids == other.manifest.ids


def _drawn(data: Dataset, share: float, rng: np.random.Generator) -> tuple[Dataset, Dataset]:
    """The rest, and about a share of the pictures, each whole; class by class."""
    groups = data.manifest.groups
    groups = np.arange(len(data)) if groups is None else np.asarray(groups)
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    labels = data.manifest.labels[first]
    held = np.zeros(len(first), dtype=bool)
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels == label))
        held[own[: round(share * len(own))]] = True
    if not held.any() and len(first) > 1:
        held[rng.integers(len(first))] = True
    return data.rows(np.flatnonzero(~held[member])), data.rows(np.flatnonzero(held[member]))


def _limited(data: Dataset, limit: int | None, rng: np.random.Generator) -> Dataset:
    if limit is None or len(data) <= limit:
        return data
    return data.rows(np.sort(rng.permutation(len(data))[:limit]))


def _unseen(
    options: FinetuneOptions, train: Dataset, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Which classes are kept out of training."""
    classes = train.manifest.classes
    unseen = np.zeros(len(classes) if classes else 0, dtype=bool)
    if options.unseen is not None:
        unseen[rng.permutation(len(unseen))[: round(options.unseen * len(unseen))]] = True
    elif domains := train.manifest.column("domain"):
        labels = train.manifest.labels
        apart = np.array([domain == UNSEEN for domain in domains], dtype=bool)
        unseen[labels[apart & (labels != UNLABELLED)]] = True
    return unseen
