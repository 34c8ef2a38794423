"""What was read of a table as a manifest, with names for its labels."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers.codes import are_nameless
from clipfg.data.readers.folder_words import is_beside, is_holder
from clipfg.data.readers.label_names import named_beside, rename
from clipfg.data.readers.labelled import Labelled
from clipfg.data.readers.labels import readable_names, relabel
from clipfg.data.readers.table_columns import TableColumns
from clipfg.data.readers.table_formats.base import TableFile
from clipfg.data.readers.table_pictures import LISTED, Pictures
from clipfg.data.sources import shown
from clipfg.errors import DataError
from clipfg.types import IN_A_BAG, TOGETHER, UNLABELLED, ClassList, Manifest, Reading, Role


def manifest_of(
    name: str,
    cells: pa.Table,
    columns: TableColumns,
    pictures: Pictures,
    given: pa.Array,
    splits: pa.Array | None,
    labelled: Labelled,
) -> Manifest:
    """Ids, addresses, splits, labels and the columns that are carried along."""
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


def named(
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
            raise open_quote(row, name, path)
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
    if columns.folder is not None:
        roles.insert(1, Role(f"column {columns.folder}", "folder of the path"))
    if pictures.found:
        roles.append(Role(f"{pictures.found:,} of {len(given):,} pictures", "found by their names"))
    if has_splits:
        roles.append(Role(f"column {columns.split}", "split"))
    if "group" in columns.carried:
        roles.append(Role(f"column {columns.carried['group']}", TOGETHER))
    if columns.carried.get("bag", "bag") != "bag":
        roles.append(Role(f"column {columns.carried['bag']}", IN_A_BAG))
    doubts = list(labelled.doubts)
    if pictures.found > 1 and _counts(given):
        doubts.append(
            f"Column {pictures.column} counts the rows, and its numbers were taken for the names of"
            " pictures; --path-column takes another column."
        )
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


def _counts(given: pa.Array) -> bool:
    """Whether texts are the numbers of rows, from 0 or 1."""
    first = given[0].as_py()
    if first not in {"0", "1"}:
        return False
    return bool(given.to_pylist() == [str(int(first) + n) for n in range(len(given))])


def open_quote(row: int, value: str, path: Path) -> DataError:
    """What to raise for a value that goes over several lines."""
    return DataError(
        f"Expected a value on one line in row {row + 1} of {path}, got {value!r:.60}; is a quote"
        " not closed?"
    )
