"""Which images count as labelled, before any is asked about."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clipfg.data.readers.labels import relabel
from clipfg.data.readers.support_files import read_support_file
from clipfg.errors import DataError, UsageError
from clipfg.registry import closest
from clipfg.settings import Settings
from clipfg.types import UNLABELLED, ClassList, Manifest
from clipfg.workflows.session import Dataset, open_dataset


def with_labels(settings: Settings, data: Dataset) -> tuple[Dataset, Dataset | None]:
    """The data with the labels that are to count, and a person's own labelled images.

    Raises `UsageError` for both `--labelled` and `--own-labels`, `DataError` as
    `open_dataset` does.
    """
    if settings.own_labels is not None and settings.support is not None:
        raise UsageError("Expected --own-labels or --labelled, got both; leave one away.")
    if settings.support is not None:
        return replace(data, manifest=_only_listed(data, settings.support)), None
    if settings.own_labels is None:
        return data, None
    own = open_dataset(
        settings.model_copy(update={"dataset": settings.own_labels, "split": "all", "limit": None})
    )
    if data.manifest.classes is not None:
        own = replace(own, manifest=relabel(own.manifest, data.manifest.classes))
    return data, own


def _only_listed(data: Dataset, file: Path) -> Manifest:
    """The manifest with the labels of the images that a file names, and no others.

    A label in the file wins over the data's; one that has none in either may be asked about again.
    Raises `DataError` for an id that the data lacks and a label outside its classes.
    """
    manifest = data.manifest
    ids, given = read_support_file(file)
    rows = {identity: row for row, identity in enumerate(manifest.ids)}
    classes = manifest.classes or _classes_of(given)
    labels: list[int | None] = [None] * len(manifest)
    for identity, name in zip(ids, given, strict=True):
        if identity not in rows:
            raise DataError(
                f"Expected ids of {manifest.name} in {file}, got {identity!r}."
                f"{closest(identity, rows)}"
            )
        row = rows[identity]
        known = int(manifest.labels[row])
        if name is None and known == UNLABELLED:
            continue  # listed, not labelled yet
        assert name is None or classes is not None
        labels[row] = classes.index(name) if classes and name is not None else known
    columns = {name: manifest.table[name] for name in manifest.table.column_names}
    return Manifest.build(
        manifest.name, columns | {"label": labels}, classes, prompts=manifest.prompts
    )


def _classes_of(names: Sequence[str | None]) -> ClassList | None:
    known = sorted({name for name in names if name is not None})
    return ClassList(tuple(known)) if known else None
