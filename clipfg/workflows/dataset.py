"""What `--dataset` names: images with their labels, or features that are there already."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.data.grouping import without_groups
from clipfg.data.readers.codes import are_nameless
from clipfg.data.readers.labels import relabel
from clipfg.data.sets.catalogue import DATASETS
from clipfg.embedding.batches import FeatureBatch
from clipfg.errors import DataError, UsageError
from clipfg.options import DataOptions, ReadingOptions
from clipfg.paths import expanded
from clipfg.types import ALONE, UNLABELLED, ClassList, Features, Hints, Manifest, Progress

logger = logging.getLogger("clipfg")

FEATURES = "features:"
ROWS = 1024
"""Rows handed on at once when features come from a file."""


@dataclass(frozen=True)
class Dataset:
    """Items, and their features where those are what the name stands for."""

    manifest: Manifest
    features: Features | None = None

    def __len__(self) -> int:
        return len(self.manifest)

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.manifest.name

    @property
    def classes(self) -> ClassList:
        """The class list. Raises `UsageError` where there is none."""
        if self.manifest.classes is None:
            raise UsageError(
                f"{self.name} has no class names; give --classes FILE with one name per line."
            )
        return self.manifest.classes

    def stored_batches(self) -> Iterator[FeatureBatch]:
        """The features that are there already, in batches."""
        stored, bags = self.stored(), self.manifest.bags
        for start in range(0, len(stored), ROWS):
            positions = np.arange(start, min(start + ROWS, len(stored)))
            chunk = stored.rows(positions)
            yield FeatureBatch(
                positions=positions,
                ids=chunk.ids,
                vectors=chunk.pooled,
                labels=chunk.labels,
                reused=len(chunk),
                patches=chunk.patches,
                regions=chunk.regions,
                bags=None if bags is None else bags[positions],
            )

    def stored(self) -> Features:
        """The features that are there already, of these items and with their labels and classes."""
        assert self.features is not None
        rows = {identity: row for row, identity in enumerate(self.features.ids)}
        chosen = self.features.rows(rows[identity] for identity in self.manifest.ids)
        return replace(chosen, labels=self.manifest.labels, classes=self.manifest.classes)

    def rows(self, which: NDArray[np.intp]) -> "Dataset":
        """The items at some positions."""
        table = self.manifest.table.take(which)
        return replace(self, manifest=replace(self.manifest, table=table))

    def select(self, split: str | None = None) -> "Dataset":
        """The items of a split, all of them for None and "all"."""
        return replace(self, manifest=self.manifest.select(None if split == "all" else split))

    def limited(self, limit: int | None, seed: int) -> "Dataset":
        """At most `limit` items, drawn over classes by a seed, which is said."""
        if limit is None or limit >= len(self):
            return self
        manifest = self.manifest.draw(limit, seed)
        classes = len(set(self.manifest.labels.tolist()) - {UNLABELLED})
        over = f" over {classes:,} classes" if classes else ""
        what = "boxes" if "box" in manifest.table.column_names else "pictures"
        logger.info(f"Used: {limit:,} of {len(self):,} {what}, drawn{over} by seed {seed}")
        return replace(self, manifest=manifest)

    def within(self, node: str | None) -> "Dataset":
        """Those of classes below a node of the taxonomy; all for None."""
        return self if node is None else replace(self, manifest=self.manifest.within(node))

    def ungrouped(self) -> "Dataset":
        """The same items, of which nothing is known to belong together."""
        return replace(self, manifest=without_groups(self.manifest))

    def apart_from(self, *others: "Dataset | None") -> NDArray[np.intp]:
        """Positions of the items that share no group with any of the `others`."""
        known = {
            group
            for other in others
            for group in (other.manifest.column("group") or () if other is not None else ())
        }
        own = self.manifest.column("group") or [None] * len(self)
        return np.array(
            [i for i, group in enumerate(own) if group is None or group not in known], dtype=np.intp
        )

    def labelled(self) -> "Dataset":
        """The items whose class is known. Raises `DataError` when there is none."""
        known = np.flatnonzero(self.manifest.labels != UNLABELLED)
        if not known.size:
            raise DataError(
                f"Expected labelled images, {self.name} has none; use a folder per class or a"
                f" manifest with a column `label`.{self._where_labels_may_be()}"
            )
        return self if known.size == len(self) else self.rows(known)

    def check_labelled(self, instead: str) -> None:
        """Raises `DataError` where nothing is labelled; `instead` is a command that needs none."""
        if not (self.manifest.labels != UNLABELLED).any():
            raise DataError(
                f"Expected labelled images to measure accuracy on, {self.name} has none; try"
                f" `{instead}`, which needs no labels.{self._where_labels_may_be()}"
            )

    def _where_labels_may_be(self) -> str:
        from clipfg.data.readers.file_name_labels import offer

        roles = self.manifest.reading.roles if self.manifest.reading else ()
        alone = [f"{role.part} is {role.meaning}." for role in roles if ALONE in role.meaning]
        found = [*alone, offer(self.manifest.ids)]
        return "".join(f" {one}" for one in found if one)

    def check_named(self) -> None:
        """Raises `UsageError` where classes are called by numbers or synset ids alone."""
        names = self.classes.names
        if are_nameless(names) and not self.classes.texts:
            raise UsageError(
                f"Expected names of the classes of {self.name}, got {', '.join(names[:4])}"
                f"{', ...' if len(names) > 4 else ''}, of which a text encoder knows nothing; say"
                " what they stand for by --label-names FILE (a line '0 Blue Jay' for each, a CSV"
                " with id,name or JSON), or use `clipfg fewshot`, which learns from images."
            )


def open_dataset(
    options: DataOptions,
    name: str | None,
    *,
    offline: bool = False,
    use_classes: bool = True,
    progress: Progress | None = None,
) -> Dataset:
    """All items of the data called `name`, with a warning where part of it is missing.

    `use_classes` is whether `--classes` names its classes. Raises `UsageError` for no name.
    """
    if name is None:
        raise UsageError(
            "No data is given; name it by --dataset NAME or PATH, such as --dataset synthflora"
            " (built in)."
        )
    from clipfg.data.loading import load_dataset
    from clipfg.data.readers.class_files import read_class_list

    classes = None
    if options.classes and use_classes:
        classes = read_class_list(options.classes, name_column=options.name_column)
    if name.startswith(FEATURES):
        from clipfg.data.readers.label_names import rename
        from clipfg.embedding.feature_files import read_features

        features = read_features(expanded(name.removeprefix(FEATURES)))
        manifest = _manifest_of(features, name)
        if options.label_names is not None:
            manifest = rename(manifest, read_class_list(options.label_names, ids=True))
        return Dataset(relabel(manifest, classes), features)
    manifest = load_dataset(
        name,
        data_root=options.data_root,
        classes=classes,
        hints=hints_of(options),
        offline=offline,
        download=options.download,
        progress=progress,
    )
    warn_if_incomplete(manifest)
    return Dataset(manifest)


def warn_if_incomplete(manifest: Manifest) -> None:
    """Say how much of the data is on disk, where that is not all of it."""
    if manifest.expected is not None and len(manifest) < manifest.expected:
        logger.warning(
            f"{manifest.name} is incomplete: {len(manifest):,} of {manifest.expected:,} images"
            f" ({len(manifest) / manifest.expected:.0%}) are on disk; all results cover"
            " those only."
        )


def hints_of(options: ReadingOptions) -> Hints:
    """What the options say of how data are to be read."""
    return Hints(**{field.name: getattr(options, field.name, None) for field in fields(Hints)})


def default_split(name: str | None, manifest: Manifest) -> str | None:
    """What is evaluated unless a split is named: the data set's own choice, else its test split."""
    if name is not None and name in DATASETS:
        own, card = manifest.splits, DATASETS.get(name)
        if manifest.expected is not None or not card.layout or card.default_split in own:
            return card.default_split  # else it is a folder that has the name of a data set
    return "test" if "test" in manifest.splits else None


def labelled_split(name: str | None, manifest: Manifest) -> str | None:
    """The default split; None where it has no label and others do, as in competitions."""
    split = default_split(name, manifest)
    labelled = manifest.labels != UNLABELLED
    chosen = np.asarray(pc.fill_null(pc.equal(manifest.table["split"], split or ""), False))
    return None if labelled.any() and not labelled[chosen].any() else split


def _manifest_of(features: Features, name: str) -> Manifest:
    labels = [int(label) if label >= 0 else None for label in features.labels]
    columns = {"id": features.ids, "uri": features.ids, "label": labels}
    if features.splits:
        columns["split"] = list(features.splits)
    if (bags := features.bag_offsets) is not None:
        names = features.bag_names or [str(number) for number in range(len(bags) - 1)]
        columns["bag"] = np.repeat(np.array(names, dtype=object), np.diff(bags)).tolist()
    return Manifest.build(name, columns, features.classes)
