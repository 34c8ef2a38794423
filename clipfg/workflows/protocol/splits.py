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
from clipfg.settings import Settings
from clipfg.types import UNLABELLED, ClassList, Manifest
from clipfg.workflows.protocol.support_sets import hold_out
from clipfg.workflows.session import Dataset, default_split, open_dataset

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


def open_support_and_test(settings: Settings) -> SupportAndTest:
    """The images of `--dataset` by its splits, `--support` or `--own-labels`, `--within` a group.

    Raises `UsageError` for data that say nothing of what may be learnt from, `DataError` for a part
    without a label.
    """
    roles = _open_roles(settings)
    if settings.within is None:
        return roles
    support = _labelled(_within(roles.support, settings.within))
    test = roles.test and _labelled(_within(roles.test, settings.within))
    return replace(roles, support=support, test=test)


def _within(data: Dataset, wanted: str) -> Dataset:
    return replace(data, manifest=data.manifest.within(wanted))


def _open_roles(settings: Settings) -> SupportAndTest:
    if settings.own_labels is not None and settings.support is not None:
        raise UsageError("Expected --own-labels or --support, got both; leave one away.")
    if settings.dataset is None and settings.own_labels is not None:
        own = _labelled(open_dataset(_whole(settings, settings.own_labels)))
        return SupportAndTest(own, None, "own labels", "")
    whole = open_dataset(_whole(settings, settings.dataset))
    if settings.own_labels is not None:
        own = open_dataset(_whole(settings, settings.own_labels, classes=None))
        manifest = relabel(own.manifest, whole.classes)
        support = _labelled(replace(own, manifest=manifest))
        return _with_test(settings, whole, support, "own labels", np.zeros(0, dtype=bool))
    if settings.support is not None:
        chosen, labels = _listed(settings.support, whole)
        support = _labelled(_relabelled(whole.rows(chosen), labels))
        taken = np.zeros(len(whole.manifest), dtype=bool)
        taken[chosen] = True
        return _with_test(settings, whole, support, settings.support.name, taken)
    return by_split(settings, whole)


def _whole(settings: Settings, name: str | None, **changed: None) -> Settings:
    return settings.model_copy(
        update={"dataset": name, "split": "all", "limit": None, "within": None, **changed},
    )


def by_split(settings: Settings, whole: Dataset) -> SupportAndTest:
    """The train split to learn from, and `--split` or the data's own to evaluate on.

    Data without splits are halved. Raises as `open_support_and_test` does.
    """
    splits = whole.manifest.splits
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
            support, _limited(test, settings), "the other half", "a held-out half"
        )
    if TRAIN not in splits:
        raise UsageError(
            f"Expected a split {TRAIN!r} to draw supports from, {whole.manifest.name} has"
            f" {', '.join(splits)}; name the images by --support FILE or --own-labels FOLDER."
        )
    split = _test_split(settings, whole.manifest)
    if split in (TRAIN, "all"):
        raise UsageError(
            f"Expected a --split to evaluate on that is not learnt from, got {split!r};"
            f" {whole.manifest.name} has {', '.join(splits)}."
        )
    support = _labelled(replace(whole, manifest=whole.manifest.select(TRAIN)))
    test = _labelled(replace(whole, manifest=whole.manifest.select(split, settings.limit)))
    return SupportAndTest(support, test, f"split {TRAIN}", f"split {split}")


def _test_split(settings: Settings, manifest: Manifest) -> str:
    assert settings.dataset is not None
    split = settings.split or default_split(settings.dataset, manifest)
    if split is None and "val" in manifest.splits:
        split = "val"
    if split is None:
        raise UsageError(
            f"Expected --split to name what is evaluated on, {manifest.name} has"
            f" {', '.join(manifest.splits)}."
        )
    return split


def _with_test(
    settings: Settings, whole: Dataset, support: Dataset, source: str, taken: NDArray[np.bool_]
) -> SupportAndTest:
    """The evaluated split of the data, without the images that the support has taken."""
    manifest, tested = whole.manifest, "all others"
    if taken.size:
        manifest = replace(manifest, table=manifest.table.filter(pa.array(~taken)))
    if manifest.splits:
        split = _test_split(settings, manifest)
        manifest, tested = manifest.select(split), f"split {split}"
    test = _labelled(_limited(replace(whole, manifest=manifest), settings))
    return SupportAndTest(support, test, source, tested)


def _limited(data: Dataset, settings: Settings) -> Dataset:
    return replace(data, manifest=data.manifest.select(limit=settings.limit))


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
