"""Tables of images: CSV, TSV, JSON lines, Parquet and spreadsheets, a row per image.

A column for the path is required; label, split and the rest are read where present, under any of
their usual names (`column_names`). Paths are relative to the table's folder; pictures that are not
there are looked for below it by name (`table_pictures`).
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers.codes import are_nameless
from clipfg.data.readers.column_names import HELD_OUT, SPLITS, key_of
from clipfg.data.readers.folder_words import is_beside, is_holder
from clipfg.data.readers.label_names import named_beside, rename
from clipfg.data.readers.labels import named_splits, readable_names, relabel
from clipfg.data.readers.table_columns import TableColumns, by_content, understand
from clipfg.data.readers.table_formats.base import TableFile
from clipfg.data.readers.table_formats.cells import join_corners
from clipfg.data.readers.table_formats.opening import guarded, open_table
from clipfg.data.readers.table_labels import Labelled, label_rows
from clipfg.data.readers.table_pictures import LISTED, Pictures, find_pictures
from clipfg.data.readers.walk import is_image
from clipfg.data.sources import shown
from clipfg.errors import DataError, UsageError
from clipfg.registry import closest
from clipfg.types import IN_A_BAG, TOGETHER, UNLABELLED, ClassList, Hints, Manifest, Reading, Role

UNSETTLED = Hints()
_NOTE = re.compile(r"^(?:total|sum|summe|mean|average|note|source)|\S\s+\S|[:=]", re.IGNORECASE)
NOTES = 3
"""So many rows below a table may be sums or remarks."""
_TRAINING = {"1": "train", "1.0": "train", "true": "train", "0": "test", "0.0": "test"}
_TRAINING |= {"false": "test"}


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
    columns = guarded(path, lambda _: columns_of(table, hints))
    first = (hints.name_column or "").partition(",")[0]
    if first and classes is None and key_of(first) not in map(key_of, table.columns):
        raise UsageError(
            f"Expected a column of {path} for --name-column, got {first!r}."
            f"{closest(first, table.columns)} It has {', '.join(table.columns):.200}."
        )
    taken = {column: column for column in columns.all()} | dict(columns.carried)
    cells: pa.Table = guarded(path, lambda _: join_corners(table.read(taken)))
    cells, notes = _without_notes(_without_blank_rows(cells), columns)
    if cells.num_rows == 0:
        raise DataError(f"Expected rows in {path}, got none.")
    splits = _splits(cells, columns)
    labelled, cells, splits = _one_label(
        label_rows(cells, columns, hints), cells, splits, columns, path, hints
    )
    pictures, given = _pictures(table, cells, columns, path, splits)
    manifest = _manifest(name or path.stem, cells, columns, pictures, given, splits, labelled)
    if notes and manifest.reading:
        doubts = (*manifest.reading.doubts, notes)
        manifest = replace(manifest, reading=replace(manifest.reading, doubts=doubts))
    return _named(manifest, table, columns, path, classes)


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


def _without_blank_rows(cells: pa.Table) -> pa.Table:
    """The rows that hold anything: spreadsheets leave blank ones behind."""
    blank = np.ones(cells.num_rows, bool)
    for column in cells.columns:
        empty = pc.is_null(column)
        if pa.types.is_string(column.type):
            empty = pc.equal(pc.fill_null(column, ""), "")
        blank &= empty.to_numpy()
        if not blank.any():
            return cells
    return cells.filter(pa.array(~blank))


def _without_notes(cells: pa.Table, columns: TableColumns) -> tuple[pa.Table, str]:
    """The rows without the last ones where these name no picture, as sums and remarks; a doubt."""
    if not columns.paths or cells.num_rows < 2:
        return cells, ""
    last = cells[columns.paths[0]][-NOTES - 1 :].to_pylist()
    count = next((n for n, value in enumerate(reversed(last)) if is_image(value or "")), 0)
    if not count or not all(map(_NOTE.search, map(str, last[-count:]))):
        return cells, ""
    said = ", ".join(repr(value or "")[:60] for value in last[-count:])
    kept = cells.slice(0, cells.num_rows - count)
    return kept, f"The last rows name no picture ({said}) and are left out."


def _splits(cells: pa.Table, columns: TableColumns) -> pa.Array | None:
    if columns.split is None:
        return None
    coded = cells[columns.split].combine_chunks().cast(pa.string()).dictionary_encode()
    values = coded.dictionary.to_pylist()
    flags = {value.lower() for value in values}
    key = key_of(columns.split)
    if flags and flags <= set(_TRAINING) and key not in SPLITS:
        marked = HELD_OUT.get(key)
        other = {"train": marked, "test": "train"} if marked else {"train": "train", "test": "test"}
        names: list[str | None] = [other[_TRAINING[value.lower()]] for value in values]
    else:
        names = named_splits(v if v.lower() != "unassigned" else "" for v in values)
    return pa.array(names, pa.string()).take(coded.indices)


def _one_label(
    labelled: Labelled,
    cells: pa.Table,
    splits: pa.Array | None,
    columns: TableColumns,
    path: Path,
    hints: Hints,
) -> tuple[Labelled, pa.Table, pa.Array | None]:
    """One label for each picture: a picture with several is refused, or as `hints` say.

    A picture with boxes, regions, bags or views may have a row for each.
    """
    several = labelled.several
    dropped = np.zeros(len(labelled.labels), bool)
    example = labelled.example
    parts = {"box", "regions", "bag", "view"} & set(cells.column_names)
    if labelled.classes is not None and columns.paths and not parts:
        pictures = _path_texts(cells, columns.paths[0], columns.folder)
        rows = pc.fill_null(pictures.dictionary_encode().indices, -1).to_numpy().astype(np.int64)
        order = np.argsort(rows, kind="stable")
        same = rows[order][1:] == rows[order][:-1]
        other = labelled.labels[order][1:] != labelled.labels[order][:-1]
        clashing = np.unique(rows[order][1:][same & other])
        if len(clashing):
            several = np.isin(rows, clashing) | (False if several is None else several)
            first = np.zeros(len(rows), bool)
            first[np.unique(rows, return_index=True)[1]] = True
            dropped = several & ~first
            one = labelled.labels[rows == clashing[0]]
            example = example or tuple(labelled.classes.names[label] for label in one if label >= 0)
    if several is None or not several.any():
        return labelled, cells, splits
    count = int((several & ~dropped).sum())
    which = f"{count:,} of {int((~dropped).sum()):,} pictures of {path} have several labels"
    if hints.several_labels is None:
        shown_labels = ", ".join(repr(label)[:40] for label in example[:4])
        raise DataError(
            f"Expected one label for each picture, got several for {count:,} of"
            f" {int((~dropped).sum()):,} in {path}, such as {shown_labels}; take the first of each"
            " by --several-labels first, or leave these pictures out by --several-labels skip."
        )
    skipped = hints.several_labels == "skip"
    kept = ~(several if skipped else dropped)
    if not kept.any():
        raise DataError(f"Expected pictures with one label in {path}, but all have several.")
    doubt = f"{which}: " + ("they are left out." if skipped else "the first label is taken.")
    labelled = replace(labelled, labels=labelled.labels[kept], several=None)
    labelled.doubts.append(doubt)
    mask = pa.array(kept)
    return labelled, cells.filter(mask), None if splits is None else splits.filter(mask)


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
    given = {column: _path_texts(cells, column, columns.folder) for column in columns.paths}
    first = next(iter(given.values()))
    missing = pc.index(pc.equal(pc.fill_null(first, ""), ""), pa.scalar(True)).as_py()
    if missing >= 0:
        raise DataError(f"Expected a path in row {missing + 1} of {path}, got a blank one.")
    broken = pc.index(pc.match_substring(first, "\n"), pa.scalar(True)).as_py()
    if broken >= 0:
        raise _open_quote(broken, first[broken].as_py(), path)
    return find_pictures(given, path, splits), first


def _path_texts(cells: pa.Table, column: str, folder: str | None) -> pa.Array:
    """What a column says of its pictures, below the folders that another column names."""
    texts = pc.utf8_trim_whitespace(cells[column].combine_chunks())
    if folder is None or folder not in cells.column_names:
        return texts
    above = pc.utf8_trim_whitespace(cells[folder].combine_chunks().fill_null(""))
    above = pc.replace_substring(above, "\\", "/")
    joined = pc.binary_join_element_wise(pc.utf8_rtrim(above, "/"), texts, "/")
    return pc.if_else(pc.equal(above, ""), texts, joined)


def _open_quote(row: int, value: str, path: Path) -> DataError:
    return DataError(
        f"Expected a value on one line in row {row + 1} of {path}, got {value!r:.60}; is a quote"
        " not closed?"
    )


def _manifest(
    name: str,
    cells: pa.Table,
    columns: TableColumns,
    pictures: Pictures,
    given: pa.Array,
    splits: pa.Array | None,
    labelled: Labelled,
) -> Manifest:
    carried = [c for c in cells.column_names if c in columns.carried or c == "box"]
    found: dict[str, Any] = {column: cells[column].combine_chunks() for column in carried}
    found["uri"] = pictures.uris
    found.setdefault("id", _ids(given))
    if found["id"].null_count:
        found["id"] = pc.coalesce(found["id"], _ids(given))
    if splits is not None:
        found["split"] = splits
    labels = labelled.labels
    found["label"] = pa.array(labels, pa.int32(), mask=labels == UNLABELLED)
    classes = labelled.classes
    if classes is not None and "parent" in found and not classes.parents:
        classes = _with_parents(classes, found["label"], found["parent"])
    for ours in {"group", "bag"} & {*found}:
        found[ours] = _without_blanks(found[ours])
    reading = _reading(columns, pictures, given, labelled, splits is not None)
    return Manifest.build(name, found, classes, reading=reading)


def _without_blanks(column: pa.Array) -> pa.Array:
    """Trimmed texts, null where nothing is left."""
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


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
    return replace(classes, parents=found)


def _reading(
    columns: TableColumns,
    pictures: Pictures,
    given: pa.Array,
    labelled: Labelled,
    has_splits: bool,
) -> Reading:
    roles = [Role(f"column {pictures.column}", "path"), *labelled.roles]
    if pictures.found:
        roles.append(Role(f"{pictures.found:,} of {len(given):,} pictures", "found by their names"))
    if has_splits:
        roles.append(Role(f"column {columns.split}", "split"))
    if "group" in columns.carried:
        roles.append(Role(f"column {columns.carried['group']}", TOGETHER))
    if columns.carried.get("bag", "bag") != "bag":
        roles.append(Role(f"column {columns.carried['bag']}", IN_A_BAG))
    doubts = list(labelled.doubts)
    if len(pictures.missing):
        rows = pictures.missing[:LISTED].tolist()
        listed = ", ".join(shown(given[row].as_py())[:120] for row in rows)
        beside = f"; the folder has such as {pictures.example}" if pictures.example else ""
        doubts.append(
            f"{len(pictures.missing):,} of {len(given):,} pictures are not there: {listed}"
            + (", ..." if len(pictures.missing) > LISTED else "")
            + f"{beside}."
        )
    missing = len(pictures.missing)
    return Reading("a table", tuple(roles), doubts=tuple(doubts), missing=missing)


def _named(
    manifest: Manifest,
    table: TableFile,
    columns: TableColumns,
    path: Path,
    classes: ClassList | None,
) -> Manifest:
    """The manifest with names for labels that are numbers, matched with `classes` where given."""
    own, reading = manifest.classes, manifest.reading
    assert reading is not None
    if own is None:
        taken = {*columns.paths[:1], columns.split, *columns.carried.values()}
        others = [column for column in table.columns if column not in taken]
        doubt = (
            "No column is known to name the classes"
            f" ({', '.join(others)[:200] or 'there is no other'}); name it by --label-column."
        )
        needless = "captions" in columns.carried and not others
        if not (columns.labels or columns.one_hot or needless) and classes is None:
            reading = replace(reading, doubts=(*reading.doubts, doubt))
        return replace(manifest, classes=classes, reading=reading)
    for position, name in enumerate(own.names):
        if "\n" in name:
            row = pc.index(manifest.table["label"], pa.scalar(position, pa.int32())).as_py()
            raise _open_quote(row, name, path)
    if table.class_names and columns.labels == (table.label,):
        listed = ClassList(tuple(readable_names(table.class_names)))
        return relabel(_indexed(manifest, listed), classes)
    if are_nameless(own.names) and not (classes is not None and classes.ids):
        found = named_beside(path.parent, own, path)
        if found is None and (is_holder(path.parent.name) or is_beside(path.parent.name)):
            found = named_beside(path.parent.parent, own, path)
        if found is not None:
            file, names = found
            roles = (*reading.roles, Role(file.name, "names of the labels"))
            manifest = replace(rename(manifest, names), reading=replace(reading, roles=roles))
    return relabel(manifest, classes, f"row {{}} of {path}")


def _indexed(manifest: Manifest, classes: ClassList) -> Manifest:
    """A manifest whose labels are the numbers of `classes`, from 0."""
    assert manifest.classes is not None
    numbers = [int(name) for name in manifest.classes.names]
    if not all(0 <= number < len(classes) for number in numbers):
        raise DataError(
            f"Expected labels from 0 to {len(classes) - 1}, got {min(numbers)} to {max(numbers)}."
        )
    labels = np.array([*numbers, UNLABELLED])[manifest.labels]
    column = pa.array(labels, pa.int32(), mask=labels == UNLABELLED)
    at = manifest.table.column_names.index("label")
    return replace(manifest, table=manifest.table.set_column(at, "label", column), classes=classes)
