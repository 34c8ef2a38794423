"""Which images may be learnt from, and which accuracy is measured on."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipfg.data.readers.labels import relabel
from clipfg.errors import DataError, UsageError
from clipfg.types import UNLABELLED, ClassList
from clipfg.workflows.dataset import Dataset, default_split
from clipfg.workflows.protocol.listed_images import read_listed, with_labels
from clipfg.workflows.protocol.support_sets import hold_out
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

TRAIN = "train"


@dataclass(frozen=True)
class SupportAndTest:
    """Labelled images to draw support sets from, and those to test on, of one class list.

    `test` is None where there are a person's own labels and nothing else. `source` and `tested` say
    what they are, in a few words. `whole` is all of `--dataset`, None without one.
    """

    support: Dataset
    test: Dataset | None
    source: str
    tested: str
    whole: Dataset | None = None

    @property
    def name(self) -> str:
        """The name under which the data was given."""
        return (self.test or self.support).name

    @property
    def classes(self) -> ClassList:
        """The classes of both."""
        return self.support.classes


def open_support_and_test(
    session: Session,
    *,
    support: Path | None = None,
    own_labels: str | None = None,
    within: str | None = None,
) -> SupportAndTest:
    """The images to learn from and those of `--dataset` to test on: by default as of `by_split`.

    A file `support` names the images to learn from; or data called `own_labels` is learnt from, and
    without `--dataset` there is then nothing to test on. Only classes below the node `within` of
    the taxonomy are kept. Raises `UsageError` for data that does not say what may be learnt from,
    `DataError` where one of both has no label.
    """
    if own_labels is not None and support is not None:
        raise UsageError("--own-labels and --support cannot be combined.")
    roles = _open(session, support, own_labels)
    if within is not None:
        test = roles.test and roles.test.within(within).labelled()
        roles = replace(roles, support=roles.support.within(within).labelled(), test=test)
    tested = f"; {len(roles.test):,} test images ({roles.tested})" if roles.test else ""
    logger.info(
        f"Data: {roles.name}, {len(roles.classes):,} classes; {len(roles.support):,} training"
        f" images ({roles.source}){tested}"
    )
    return roles


def _open(session: Session, support: Path | None, own_labels: str | None) -> SupportAndTest:
    if own_labels is not None and session.options.dataset is None:
        return SupportAndTest(session.whole(own_labels).labelled(), None, "own labels", "")
    whole = session.whole()
    if own_labels is not None:
        own = session.whole(own_labels, use_classes=False)
        own = replace(own, manifest=relabel(own.manifest, whole.classes)).labelled()
        return _against_rest(session, whole, own, "own labels")
    if support is not None:
        rows, labels = _support_rows(support, whole)
        listed = with_labels(whole.rows(rows), labels, whole.classes).labelled()
        return _against_rest(session, whole, listed, support.name, rows)
    return by_split(session, whole, session.options.split)


def by_split(session: Session, whole: Dataset, split: str | None) -> SupportAndTest:
    """The train split to learn from; the split named, or by default the data's own, to test on.

    Data without splits is halved by the seed. `--limit` bounds the test images. Raises
    `UsageError` where there is no train split or no other to test on, `DataError` where one of both
    has no label.
    """
    splits, options = whole.manifest.splits, session.options
    if not splits:
        return _halved(session, whole)
    if TRAIN not in splits:
        raise UsageError(
            f"{whole.name} has no split {TRAIN!r} to draw support sets from, only"
            f" {', '.join(splits)}; name the images to learn from by --support FILE or --own-labels"
            " FOLDER."
        )
    split = _test_split(session, whole, split)
    if split in (TRAIN, "all"):
        raise UsageError(
            f"--split {split} would test on training images; {whole.name} has the splits"
            f" {', '.join(splits)}."
        )
    support = whole.select(TRAIN).labelled()
    test = whole.select(split).labelled().limited(options.limit, options.seed)
    return SupportAndTest(support, test, f"split {TRAIN}", f"split {split}", whole)


def _halved(session: Session, whole: Dataset) -> SupportAndTest:
    seed, labelled = session.options.seed, whole.labelled()
    held = hold_out(labelled.manifest.labels, seed, labelled.manifest.groups)
    if not held.any():
        raise DataError(
            f"Expected a class with two images, {whole.name} has none; `clipfg fewshot"
            " --own-labels` trains a head on all images, without a test set."
        )
    logger.warning(
        f"{whole.name} has no splits: half of each class, drawn with seed {seed}, is held out"
        " for testing. If near-identical images (same object, same burst) fall in both halves,"
        " accuracy is inflated; provide a manifest with a column `split`."
    )
    support, test = (labelled.rows(np.flatnonzero(part)) for part in (~held, held))
    test = test.limited(session.options.limit, seed)
    return SupportAndTest(support, test, "the other half", "a held-out half", whole)


def _test_split(session: Session, data: Dataset, split: str | None) -> str:
    """The split named, or the data's own to test on. Raises `UsageError` where there is neither."""
    splits = data.manifest.splits
    split = split or default_split(session.options.dataset, data.manifest)
    if split is None and "val" not in splits:
        names = ", ".join(splits)
        raise UsageError(f"{data.name} has no test split; name one by --split, of {names}.")
    return split or "val"


def _against_rest(
    session: Session,
    whole: Dataset,
    support: Dataset,
    source: str,
    taken: NDArray[np.intp] | None = None,
) -> SupportAndTest:
    """Test on a split of the data without the images at the positions `taken`."""
    rest, tested, options = whole, "all others", session.options
    if taken is not None:
        rest = whole.rows(np.setdiff1d(np.arange(len(whole)), taken))
    manifest = rest.manifest
    if manifest.splits:
        split = _test_split(session, rest, options.split)
        manifest, tested = manifest.select(split), f"split {split}"
    test = replace(rest, manifest=manifest).labelled().limited(options.limit, options.seed)
    return SupportAndTest(support, test, source, tested, whole)


def _support_rows(file: Path, data: Dataset) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Positions and labels of the images that a support file names; no label but the data's."""
    classes = data.classes
    rows, labels, _ = read_listed(file, data)
    own = data.manifest.labels[rows]
    clash = (labels != UNLABELLED) & (own != UNLABELLED) & (labels != own)
    if clash.any():
        first = int(np.flatnonzero(clash)[0])
        raise DataError(
            f"Expected {data.manifest.ids[rows[first]]!r} in {file} to be"
            f" {classes.names[own[first]]!r}, as in the data, got {classes.names[labels[first]]!r}"
            f" ({int(clash.sum()):,} such in all)."
        )
    return rows, np.where(labels == UNLABELLED, own, labels)
