"""Which images may be learnt from, and which accuracy is measured on."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipfg.data.grouping import NEAR_COPIES
from clipfg.data.readers.labels import relabel
from clipfg.errors import DataError, UsageError
from clipfg.types import UNLABELLED, ClassList
from clipfg.workflows.dataset import Dataset, default_split
from clipfg.workflows.grouping import check_groups
from clipfg.workflows.protocol.listed_images import read_listed, with_labels
from clipfg.workflows.protocol.support_sets import hold_out
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

TRAIN = "train"
HALF = "a held-out half"
HALVED = (
    "{name} has no splits: half of each class, drawn with seed {seed}, is held out for testing. If"
    " near-identical images (same object, same burst) fall in both halves, accuracy is inflated;"
    " say what belongs together by --group-by, or provide a manifest with a column `split`."
)


@dataclass(frozen=True)
class SupportAndTest:
    """Labelled images to draw support sets from, and those to test on, of one class list.

    `test` is None where there are a person's own labels and nothing else. `source` and `tested` say
    what they are, in a few words. `whole` is all of `--dataset`, None without one. `remarks` say
    what was excluded. `by_pictures` is the same data split as if nothing belonged together; None
    without `--group-by`.
    """

    support: Dataset
    test: Dataset | None
    source: str
    tested: str
    whole: Dataset | None = None
    remarks: tuple[str, ...] = ()
    by_pictures: "SupportAndTest | None" = None

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
    whole, own = _read(session, own_labels)
    roles = split_roles(session, whole, own, support)
    if within is not None:
        roles = _within(roles, within)
    tested = f"; {len(roles.test):,} test images ({roles.tested})" if roles.test else ""
    logger.info(
        f"Data: {roles.name}, {len(roles.classes):,} classes; {len(roles.support):,} training"
        f" images ({roles.source}){tested}"
    )
    return roles


def _within(roles: SupportAndTest, node: str) -> SupportAndTest:
    test = roles.test and roles.test.within(node).labelled()
    plain = roles.by_pictures and _within(roles.by_pictures, node)
    support = roles.support.within(node).labelled()
    return replace(roles, support=support, test=test, by_pictures=plain)


def _read(session: Session, own_labels: str | None) -> tuple[Dataset | None, Dataset | None]:
    """All of `--dataset`, and the person's own labelled images; None for what is not given."""
    if own_labels is None:
        return session.whole(), None
    if session.options.dataset is None:
        return None, session.whole(own_labels).labelled()
    if getattr(session.options, "group_by", None) == NEAR_COPIES:
        raise UsageError(
            f"--group-by {NEAR_COPIES} looks for copies within one data set and cannot be combined"
            " with --own-labels and --dataset together."
        )
    whole, own = session.whole(), session.whole(own_labels, use_classes=False)
    return whole, replace(own, manifest=relabel(own.manifest, whole.classes)).labelled()


def split_roles(
    session: Session,
    whole: Dataset | None,
    own: Dataset | None = None,
    support: Path | None = None,
) -> SupportAndTest:
    """What of the data is learnt from and what is tested on, with groups on one side.

    Test images of a group that is learnt from are excluded. Raises `DataError` where that leaves
    none, and where all is one group.
    """
    source = own or whole
    assert source is not None
    if "group" not in source.manifest.table.column_names:
        roles = _split(session, whole, own, support)
        if roles.tested == HALF:
            logger.warning(HALVED.format(name=roles.name, seed=session.options.seed))
        return roles
    check_groups((whole or source).manifest)
    roles = _apart(_split(session, whole, own, support))
    plain = _split(session, whole and whole.ungrouped(), own and own.ungrouped(), support)
    return replace(roles, by_pictures=plain)


def _apart(roles: SupportAndTest) -> SupportAndTest:
    """Without the test images of groups that are learnt from."""
    if roles.test is None:
        return roles
    rows = roles.test.apart_from(roles.support)
    lost = len(roles.test) - len(rows)
    if not len(rows):
        raise DataError(
            f"Expected test images of groups that are not learnt from, but all {lost:,} are of"
            f" groups in {roles.source}; give data without splits, which are halved by groups, or"
            " name what to learn from by --support FILE."
        )
    if not lost:
        return roles
    remark = f"{lost:,} of {lost + len(rows):,} test images are of groups that are learnt from and"
    remarks = (*roles.remarks, f"{remark} are excluded")
    return replace(roles, test=roles.test.rows(rows), remarks=remarks)


def _split(
    session: Session, whole: Dataset | None, own: Dataset | None, support: Path | None
) -> SupportAndTest:
    if own is not None:
        if whole is None:
            return SupportAndTest(own, None, "own labels", "")
        return _against_rest(session, whole, own, "own labels")
    assert whole is not None
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
        if split is not None:
            whole.select(split)  # raises
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
        things = "images" if labelled.manifest.groups is None else "groups of images"
        raise DataError(
            f"Expected a class with two {things}, {whole.name} has none; `clipfg fewshot"
            " --own-labels` trains a head on all images, without a test set, and --label-level"
            " takes the classes from another folder."
        )
    support, test = (labelled.rows(np.flatnonzero(part)) for part in (~held, held))
    test = test.limited(session.options.limit, seed)
    return SupportAndTest(support, test, "the other half", HALF, whole)


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
