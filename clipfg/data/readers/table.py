"""Tables of images: CSV, TSV, JSON lines and Parquet, a row per image.

A column for the path is required; label, split and the rest are read where present, under any of
their usual names (`table_files.ALIASES`). Paths are relative to the table's folder.
"""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers.labels import index_labels, named_splits, readable_names, relabel
from clipfg.data.readers.table_files import CLASSES, read_columns
from clipfg.data.sources import file_uri, scheme_of
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest


def read(path: Path, *, name: str | None = None, classes: ClassList | None = None) -> Manifest:
    """The rows of a table as a manifest.

    Labels are names, or indices into `classes` where that is given. The id is the column `id`,
    else the path as the table has it (with `#2`, `#3` where an image has several rows). Other
    columns are ignored.

    Raises `DataError` for a file that is not what its suffix says, has no column for the path, a
    row without one, or a label outside `classes`; rows are counted from 1 below the header.
    """
    path = path.absolute()
    table = read_columns(path)
    if table.num_rows == 0:
        raise DataError(f"Expected rows in {path}, got none.")
    given = table["uri"].cast(pa.string()).combine_chunks()
    missing = pc.index(pc.equal(pc.fill_null(given, ""), ""), pa.scalar(True)).as_py()
    if missing >= 0:
        raise DataError(f"Expected a path in row {missing + 1} of {path}, got a blank one.")
    columns: dict[str, Any] = {
        column: table[column].combine_chunks()
        for column in table.column_names
        if column not in {"uri", "label", "split"}
    }
    columns["uri"] = _resolve(given, path.parent)
    columns.setdefault("id", _ids(given))
    if "split" in table.column_names:
        columns["split"] = _splits(table["split"])
    own = classes
    carried = (table.schema.metadata or {}).get(CLASSES)
    inside = ClassList(tuple(readable_names(json.loads(carried)))) if carried else classes
    if "label" in table.column_names:
        columns["label"], own = index_labels(
            table["label"], inside, lambda row: f"row {row + 1} of {path}"
        )
        if classes is None and own is not None and "parent" in columns:
            own = _with_parents(own, columns["label"], columns["parent"])
    manifest = Manifest.build(name or path.stem, columns, own)
    return manifest if inside is classes else relabel(manifest, classes)


def _resolve(given: pa.Array, folder: Path) -> pa.Array:
    """Absolute paths; URIs with a scheme stay as they are."""
    # For speed, only unusual paths (absolute, dotted, with a scheme) go through Python.
    odd = pc.match_substring_regex(given, r"^/|(^|/)\.{0,2}/|/\.\.$|^[A-Za-z][A-Za-z0-9+.-]*:|^~")
    joined = pc.binary_join_element_wise(str(folder).rstrip("/"), given, "/")
    if not pc.any(odd).as_py():
        return joined
    straight = [_absolute(value, folder) for value in given.filter(odd).to_pylist()]
    return pc.replace_with_mask(joined, odd, pa.array(straight, pa.string()))


def _absolute(value: str, folder: Path) -> str:
    if scheme_of(value) is not None:
        return value
    path = os.path.expanduser(value)  # noqa: PTH111 - text to text, for a million rows
    return file_uri(os.path.normpath(os.path.join(folder, path)))  # noqa: PTH118


def _ids(given: pa.Array) -> pa.Array:
    """The paths, with a number appended for the second and later rows of one image."""
    if pc.count_distinct(given).as_py() == len(given):
        return given
    seen: dict[str, int] = {}
    ids = []
    for value in given.to_pylist():
        seen[value] = seen.get(value, 0) + 1
        ids.append(value if seen[value] == 1 else f"{value}#{seen[value]}")
    return pa.array(ids, pa.string())


def _splits(values: pa.ChunkedArray) -> pa.Array:
    coded = values.combine_chunks().cast(pa.string()).dictionary_encode()
    names = pa.array(named_splits(coded.dictionary.to_pylist()), pa.string())
    return names.take(coded.indices)


def _with_parents(classes: ClassList, labels: pa.Array, parents: pa.Array) -> ClassList:
    """The taxonomy of a column `parent`, where each class has the same parent in all its rows."""
    pairs = pa.table({"label": labels, "parent": parents})
    found: dict[str, str] = {}
    for row in pairs.group_by(["label", "parent"]).aggregate([]).to_pylist():
        if row["label"] is None or not row["parent"]:
            continue
        name = classes.names[row["label"]]
        if row["parent"] == name or found.setdefault(name, row["parent"]) != row["parent"]:
            return classes
    return ClassList(classes.names, found)
