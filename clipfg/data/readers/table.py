"""Tables of images: CSV, TSV, JSON lines, Parquet and spreadsheets, a row per image.

A column for the path is required; label, split and the rest are read where present, under any of
their usual names (`column_names`). Paths are relative to the table's folder; pictures that are not
there are looked for below it by name (`table_pictures`).
"""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers.column_names import key_of
from clipfg.data.readers.table_columns import TableColumns, by_content, understand
from clipfg.data.readers.table_doubts import other_labels
from clipfg.data.readers.table_formats.base import TableFile
from clipfg.data.readers.table_formats.cells import join_corners
from clipfg.data.readers.table_formats.darwin_core import PICTURES, with_media
from clipfg.data.readers.table_formats.opening import guarded, open_table
from clipfg.data.readers.table_labels import label_rows
from clipfg.data.readers.table_manifest import manifest_of, named, open_quote
from clipfg.data.readers.table_pictures import Pictures, find_pictures, folder_column
from clipfg.data.readers.table_rows import (
    one_label,
    path_texts,
    splits_of,
    without_blank_rows,
    without_headers,
    without_negatives,
    without_notes,
)
from clipfg.errors import DataError, UsageError
from clipfg.registry import closest
from clipfg.types import ClassList, Hints, Manifest, Reading, Role

UNSETTLED = Hints()


def read(
    path: Path,
    *,
    name: str | None = None,
    classes: ClassList | None = None,
    hints: Hints = UNSETTLED,
) -> Manifest:
    """The rows of a table as a manifest.

    Labels are names, or ids or indices of `classes` where that is given. The id is the column `id`,
    else the path as the table has it (with `#2`, `#3` where an image has several rows). Other
    columns are ignored. What each column was taken for is in the manifest's reading.

    Raises `DataError` for a file that is not what its suffix says, has no column for the path, a
    row without one, several labels of a picture, or a label outside `classes`; rows are counted
    from 1 below the header. Raises `UsageError` for a column that `hints` names and it lacks.
    """
    path = path.absolute()
    table = open_table(path)
    called = name or path.stem
    try:
        whole = with_media(table, path)
        if whole is not None:
            manifest = _read(whole, path, called, classes, hints)
            reading = manifest.reading or Reading("a table")
            roles = (*reading.roles, Role(whole.media, PICTURES))
            return replace(manifest, reading=replace(reading, roles=roles))
    except DataError as error:  # pictures may be called by the ids of the rows
        with suppress(DataError):
            return _read(table, path, called, classes, hints)
        raise error from None
    return _read(table, path, called, classes, hints)


def _read(
    table: TableFile, path: Path, name: str, classes: ClassList | None, hints: Hints
) -> Manifest:
    columns = guarded(path, lambda _: columns_of(table, hints))
    columns = replace(columns, folder=folder_column(columns, table.sample, path))
    first = (hints.name_column or "").partition(",")[0]
    if first and classes is None and key_of(first) not in map(key_of, table.columns):
        raise UsageError(
            f"Expected a column of {path} for --name-column, got {first!r}."
            f"{closest(first, table.columns)} It has {', '.join(table.columns):.200}."
        )
    taken = {column: column for column in columns.all()} | dict(columns.carried)
    cells: pa.Table = guarded(path, lambda _: join_corners(table.read(taken)))
    cells = without_headers(without_blank_rows(cells), columns)
    cells, notes = without_notes(cells, columns)
    cells, negatives = without_negatives(cells, columns)
    if cells.num_rows == 0:
        raise DataError(f"Expected rows in {path}, got none.")
    splits = splits_of(cells, columns)
    labelled, cells, splits = one_label(
        label_rows(cells, columns, hints), cells, splits, columns, path, hints
    )
    pictures, given = _pictures(table, cells, columns, path, splits)
    if hints.label_column is None:
        labelled.doubts.extend(other_labels(table, columns, labelled.roles))
    manifest = manifest_of(name, cells, columns, pictures, given, splits, labelled)
    if (told := tuple(filter(None, (notes, negatives)))) and manifest.reading:
        doubts = (*manifest.reading.doubts, *told)
        manifest = replace(manifest, reading=replace(manifest.reading, doubts=doubts))
    return named(manifest, table, columns, path, classes).together()


def columns_of(table: TableFile, hints: Hints) -> TableColumns:
    """What the columns of an open table are for. Raises as `understand` does."""
    if table.headless:
        return by_content(table.columns, table.sample, hints)
    columns = understand(table.columns, table.sample, hints, needs_path=table.image is None)
    if table.image is not None:
        columns = replace(columns, paths=())
    if table.label is not None and hints.label_column is None:
        columns = replace(columns, labels=(table.label,), one_hot=(), ranks={})
    return columns


def _pictures(
    table: TableFile,
    cells: pa.Table,
    columns: TableColumns,
    path: Path,
    splits: pa.Array | None,
) -> tuple[Pictures, pa.Array]:
    """Where the pictures are, and what the table calls them."""
    if table.image is not None:
        uris = cells["uri"].combine_chunks()
        return Pictures(uris, table.image), cells["id"].combine_chunks()
    given = {column: path_texts(cells, column, columns.folder) for column in columns.paths}
    first = next(iter(given.values()))
    missing = pc.index(pc.equal(pc.fill_null(first, ""), ""), pa.scalar(True)).as_py()
    if missing >= 0:
        raise DataError(f"Expected a path in row {missing + 1} of {path}, got a blank one.")
    broken = pc.index(pc.match_substring(first, "\n"), pa.scalar(True)).as_py()
    if broken >= 0:
        raise open_quote(broken, first[broken].as_py(), path)
    return find_pictures(given, path, splits), first
