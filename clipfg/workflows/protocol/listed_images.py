"""Images that a file names, and the labels that it gives them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clipfg.data.readers.labels import index_labels
from clipfg.data.readers.support_files import read_support_file
from clipfg.errors import DataError
from clipfg.registry import closest
from clipfg.types import UNLABELLED, ClassList
from clipfg.workflows.dataset import Dataset


def read_listed(
    file: Path, data: Dataset
) -> tuple[NDArray[np.intp], NDArray[np.int64], ClassList | None]:
    """Positions `[m]` of the images in the file's order, their labels `[m]`, and the classes.

    Labels are the file's alone, `UNLABELLED` where it gives none. The classes are the data's; where
    it has none, they are the names in the file.

    Raises `DataError` for an id that the data lacks, and for a label outside its classes.
    """
    ids, names = read_support_file(file)
    places = {identity: place for place, identity in enumerate(data.manifest.ids)}
    unknown = [identity for identity in ids if identity not in places]
    if unknown:
        raise DataError(
            f"Expected ids of {data.name} in {file}, got {unknown[0]!r} ({len(unknown):,} unknown"
            f" in all).{closest(unknown[0], places)}"
        )
    rows = np.array([places[identity] for identity in ids], dtype=np.intp)
    labels, classes = index_labels(
        pa.array(names, pa.string()), data.manifest.classes, lambda row: repr(ids[row])
    )
    return rows, labels.fill_null(UNLABELLED).to_numpy().astype(np.int64), classes


def with_labels(data: Dataset, labels: NDArray[np.int64], classes: ClassList | None) -> Dataset:
    """The same items with labels `[n]` that index `classes`."""
    table = data.manifest.table
    column = pa.array(labels, pa.int32(), mask=labels == UNLABELLED)
    table = table.set_column(table.column_names.index("label"), "label", column)
    return replace(data, manifest=replace(data.manifest, table=table, classes=classes))
