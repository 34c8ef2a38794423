"""Which images a few-shot run may learn from, and which it is evaluated on."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clipfg.data.readers.labels import index_labels, relabel
from clipfg.data.readers.support_files import read_support_file
from clipfg.errors import DataError, UsageError
from clipfg.registry import closest
from clipfg.types import UNLABELLED, ClassList, Manifest
from clipfg.workflows.dataset import Dataset, default_split
from clipfg.workflows.protocol.support_sets import hold_out
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

TRAIN = "train"


@dataclass(frozen=True)
class SupportAndTest:
    """Labelled images to draw supports from, and those to evaluate on, of one class list.

    `test` is None where all there is are a person's own labels. `source` and `tested` say in a few
    words what they are.
    """

    support: Dataset
    test: Dataset | None
    source: str
    tested: str

    @property
    def name(self) -> str:
        """What the person called the data."""
        return (self.test or self.support).manifest.name

    @property
    def classes(self) -> ClassList:
        """The classes of both."""
        return self.support.classes


def open_support_and_test(session: Session) -> SupportAndTest:
    """The images of `--dataset` by its splits, `--support` or `--own-labels`, `--within` a group.

    Raises `UsageError` for data that say nothing of what may be learnt from, `DataError` for a part
    without a label.
    """
    roles = _open_roles(session)
    within = getattr(session.options, "within", None)
    if within is None:
        return roles
    support = _labelled(roles.support.within(within))
    test = roles.test and _labelled(roles.test.within(within))
    return replace(roles, support=support, test=test)


def _open_roles(session: Session) -> SupportAndTest:
    options = session.options
    own_labels, listed = (getattr(options, name, None) for name in ("own_labels", "support"))
    if own_labels is not None and listed is not None:
        raise UsageError("--own-labels and --support cannot be combined.")
    if options.dataset is None and own_labels is not None:
        return SupportAndTest(_labelled(session.whole(own_labels)), None, "own labels", "")
    whole = session.whole()
    if own_labels is not None:
        own = session.whole(own_labels, use_classes=False)
        manifest = relabel(own.manifest, whole.classes)
        support = _labelled(replace(own, manifest=manifest))
        return _with_test(session, whole, support, "own labels", np.zeros(0, dtype=bool))
    if listed is not None:
        chosen, labels = _listed(listed, whole)
        support = _labelled(_relabelled(whole.rows(chosen), labels))
        taken = np.zeros(len(whole.manifest), dtype=bool)
        taken[chosen] = True
        return _with_test(session, whole, support, listed.name, taken)
    return by_split(session, whole, options.split)


def by_split(session: Session, whole: Dataset, split: str | None) -> SupportAndTest:
    """The train split to learn from, and `--split` or the data's own to evaluate on.

    Data without splits are halved. Raises as `open_support_and_test` does.
    """
    splits, settings = whole.manifest.splits, session.options
    if not splits:
        labelled = _labelled(whole)
        held = hold_out(labelled.manifest.labels, settings.seed)
        if not held.any():
            raise DataError(
                f"Expected a class with two images, and {whole.manifest.name} has none; `clipfg"
                " fewshot --own-labels` fits a head on what there is."
            )
        logger.warning(
            f"{whole.manifest.name} has no split: half of each class, drawn with seed"
            f" {settings.seed}, is held out to evaluate on. Images of one object or moment in"
            " both halves would flatter every figure; give a manifest with a column `split` then."
        )
        support, test = (labelled.rows(np.flatnonzero(part)) for part in (~held, held))
        return SupportAndTest(
            support, test.select(limit=settings.limit), "the other half", "a held-out half"
        )
    if TRAIN not in splits:
        raise UsageError(
            f"Expected a split {TRAIN!r} to draw supports from, {whole.manifest.name} has"
            f" {', '.join(splits)}; name the images by --support FILE or --own-labels FOLDER."
        )
    split = _test_split(settings.dataset, split, whole.manifest)
    if split in (TRAIN, "all"):
        raise UsageError(
            f"Expected a --split to evaluate on that is not learnt from, got {split!r};"
            f" {whole.manifest.name} has {', '.join(splits)}."
        )
    support = _labelled(replace(whole, manifest=whole.manifest.select(TRAIN)))
    test = _labelled(replace(whole, manifest=whole.manifest.select(split, settings.limit)))
    return SupportAndTest(support, test, f"split {TRAIN}", f"split {split}")


def _test_split(dataset: str | None, split: str | None, manifest: Manifest) -> str:
    split = split or default_split(dataset, manifest)
    if split is None and "val" in manifest.splits:
        split = "val"
    if split is None:
        raise UsageError(
            f"Expected --split to name what is evaluated on, {manifest.name} has"
            f" {', '.join(manifest.splits)}."
        )
    return split


def _with_test(
    session: Session, whole: Dataset, support: Dataset, source: str, taken: NDArray[np.bool_]
) -> SupportAndTest:
    """The evaluated split of the data, without the images that the support has taken."""
    manifest, tested = whole.manifest, "all others"
    if taken.size:
        manifest = replace(manifest, table=manifest.table.filter(pa.array(~taken)))
    if manifest.splits:
        split = _test_split(session.options.dataset, session.options.split, manifest)
        manifest, tested = manifest.select(split), f"split {split}"
    chosen = replace(whole, manifest=manifest).select(limit=session.options.limit)
    test = _labelled(chosen)
    return SupportAndTest(support, test, source, tested)


def _labelled(data: Dataset) -> Dataset:
    """The images whose class is known. Raises `DataError` when there is none."""
    known = np.flatnonzero(data.manifest.labels != UNLABELLED)
    if not known.size:
        raise DataError(
            f"Expected labelled images, and {data.manifest.name} has none of them; a folder per"
            " class or a manifest with a column `label` would say what is what."
        )
    return data if known.size == len(data.manifest) else data.rows(known)


def _relabelled(data: Dataset, labels: NDArray[np.int64]) -> Dataset:
    table = data.manifest.table
    place = table.column_names.index("label")
    known = pa.array(labels, pa.int32(), mask=labels == UNLABELLED)
    manifest = replace(data.manifest, table=table.set_column(place, "label", known))
    return replace(data, manifest=manifest)


def _listed(file: Path, data: Dataset) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Positions and labels of the images that a support file names.

    Raises `DataError` for an id that the data lacks, one without a label anywhere, and a label
    other than the data's.
    """
    ids, names = read_support_file(file)
    places = {identity: place for place, identity in enumerate(data.manifest.ids)}
    unknown = [identity for identity in ids if identity not in places]
    if unknown:
        raise DataError(
            f"Expected ids of {data.manifest.name} in {file}, got {unknown[0]!r}"
            f" ({len(unknown):,} such in all).{closest(unknown[0], places)}"
        )
    rows = np.array([places[identity] for identity in ids], dtype=np.intp)
    own = data.manifest.labels[rows]
    given, _ = index_labels(pa.array(names, pa.string()), data.classes, lambda row: ids[row])
    labels = np.array([UNLABELLED if x is None else x for x in given.to_pylist()], dtype=np.int64)
    clash = (labels != UNLABELLED) & (own != UNLABELLED) & (labels != own)
    if clash.any():
        first = int(np.flatnonzero(clash)[0])
        right = data.classes.names[own[first]]
        raise DataError(
            f"Expected the label of {ids[first]!r} in {file} to be {right!r}, as the data has it,"
            f" got {names[first]!r} ({int(clash.sum()):,} such in all)."
        )
    return rows, np.where(labels == UNLABELLED, own, labels)
