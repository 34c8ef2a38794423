"""A CSV with a row a box, its columns under any of their usual names: Roboflow's, clipfg's own."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers import column_names
from clipfg.data.readers.boxes import BoxFormat, Layout
from clipfg.data.readers.codes import are_nameless
from clipfg.data.readers.column_names import first_of, key_of
from clipfg.data.readers.formats.annotations import Annotations, Meaning
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.label_names import named_beside
from clipfg.data.readers.labels import match_classes, split_name
from clipfg.data.sources import reason
from clipfg.errors import DataError, UsageError
from clipfg.types import ClassList, Hints, Role

COLUMNS: tuple[tuple[Layout, tuple[str, str, str, str]], ...] = (
    ("xyxy", ("x0", "y0", "x1", "y1")),
    ("xyxy", ("xmin", "ymin", "xmax", "ymax")),
    ("xyxy", ("x_min", "y_min", "x_max", "y_max")),
    ("xyxy", ("x1", "y1", "x2", "y2")),
    ("xyxy", ("left", "top", "right", "bottom")),
    ("xyxy", ("xtl", "ytl", "xbr", "ybr")),
    ("cxcywh", ("cx", "cy", "w", "h")),
    ("cxcywh", ("x_center", "y_center", "width", "height")),
    ("cxcywh", ("xcenter", "ycenter", "width", "height")),
    ("cxcywh", ("x_center", "y_center", "w", "h")),
    ("xywh", ("bbox_x", "bbox_y", "bbox_width", "bbox_height")),
    ("xywh", ("bbox_x", "bbox_y", "bbox_w", "bbox_h")),
    ("xywh", ("bboxx", "bboxy", "bboxwidth", "bboxheight")),
    ("xywh", ("left", "top", "width", "height")),
    ("xywh", ("x", "y", "w", "h")),
    ("xywh", ("x", "y", "width", "height")),
)
"""Names of four columns, and what they hold; `bbox_x0` and `box_xmin` are the same as without."""

ONE_COLUMN: dict[str, Layout | None] = {"box": "xyxy", "bbox": None, "bounding_box": None}
"""Names of a column with four numbers: clipfg's own, and those that do not tell what they hold."""

PATHS = (
    *("path", "uri", "image", "file", "filename", "filepath", "file_name", "file_path"),
    *("image_path", "img_path", "image_file", "image_id", "img", "image_name", "imageid"),
)
LABELS = (
    *("label", "class", "class_name", "label_name", "species", "category", "name", "category_name"),
    *("common_name", "scientific_name", "object", "type"),
)
SPLITS = ("split", "set", "subset", "fold")
SURE = ("confidence", "conf", "score", "probability")
_MORE = {PATHS: (*column_names.PATHS, *column_names.IDS), LABELS: column_names.LABELS}
"""What tables of pictures have beside these, for comparison by `key_of`."""
UNSETTLED = Hints()
MORE = frozenset(name for names in column_names.CARRIED.values() for name in names) - {"box"}
"""Columns of clipfg's own tables, which the table reader keeps."""


class Columns(NamedTuple):
    """Where a table has its boxes."""

    names: tuple[str, ...]
    layout: Layout | None


def find_columns(header: Sequence[str]) -> Columns | None:
    """The columns of boxes in a header, or None."""
    at = {re.sub(r"^b?box[_ ]", "", name.lower()): name for name in reversed(header)}
    at |= {key_of(name): name for name in reversed(header)}
    at |= {name.lower(): name for name in reversed(header)}
    for layout, names in (*COLUMNS, *((how, tuple(map(key_of, n))) for how, n in COLUMNS)):
        if set(names) <= at.keys():
            return Columns(tuple(at[name] for name in names), layout)
    one = next((name for name in ONE_COLUMN if name in at), None)
    return Columns((at[one],), ONE_COLUMN[one]) if one else None


def read(path: Path, hints: Hints = UNSETTLED) -> Annotations:
    """The boxes of a table. Raises `UsageError` for a column of `hints` that it lacks."""
    table = _read(path)
    header = table.column_names
    columns = find_columns(header)
    assert columns is not None
    at = {key_of(name): name for name in reversed(header) if name not in columns.names}
    name = _column(at, hints.path_column, PATHS, path)
    label = _column(at, hints.label_column, LABELS, path)
    split = _column(at, hints.split_column, SPLITS, path)
    sure = _column(at, None, SURE, path)
    rest = {column.lower(): column for column in header if column not in columns.names}
    sized = {"width", "height"} <= rest.keys()
    boxes = _boxes(table, columns, path)
    found = Annotations("a table of boxes", path, _format(boxes, columns.layout))
    found.roles = [Role(f"column {name}", "path"), Role(", ".join(columns.names), "an item a box")]
    found.roles += [Role(f"column {label}", "class")] if label else []
    if label is None and (others := [c for c in rest.values() if c not in {name, split, sure}]):
        found.doubts.append(
            f"No column is known to name the classes ({', '.join(others):.200}); name it by"
            " --label-column."
        )
    own = split_name(path.parent.name)
    texts = [
        table[column].to_pylist() if column else [None] * len(boxes)
        for column in (name, label, sure, split)
    ]
    sizes: list[Any] = [None] * len(boxes)
    if sized:
        given = np.nan_to_num(_numbers(table, [rest["width"], rest["height"]], path))
        sizes = [tuple(size) for size in given.astype(int).tolist()]
    for row, (picture, what, confidence, part) in enumerate(zip(*texts, strict=True)):
        if not picture:
            raise DataError(f"Expected a path in row {row + 1} of {path}, got a blank one.")
        number = found.picture(picture, (part and (split_name(part) or part)) or own, sizes[row])
        box = boxes[row]
        missing = bool(np.isnan(box).all())
        found.add(number, what, None if missing else box.tolist(), _sure(confidence, row, path))
    _call_by_name(found, path)
    return found


def _call_by_name(found: Annotations, path: Path) -> None:
    """Classes that are numbers or codes by the names that a file beside the table has for them."""
    if not found.classes or not are_nameless(found.classes):
        return
    own = ClassList(tuple(found.classes))
    if (beside := named_beside(path.parent, own, path)) is not None:
        file, names = beside
        places = match_classes(own, names, lambda _: str(path))
        called = {code: names.names[place] for code, place in zip(own.names, places, strict=True)}
        found.translate(lambda code: Meaning(called[code]))
        found.roles.append(Role(file.name, "names of the labels"))


def _column(
    at: Mapping[str, str], chosen: str | None, usual: tuple[str, ...], path: Path
) -> str | None:
    """The column that was chosen, else the first of the usual ones."""
    if chosen is None:
        return first_of([*map(key_of, usual), *_MORE.get(usual, ())], dict(at))
    if key_of(chosen) not in at:
        raise UsageError(f"Expected a column {chosen!r} in {path}, got {', '.join(at.values())}.")
    return at[key_of(chosen)]


def _sure(text: str | None, row: int, path: Path) -> float:
    try:
        return float(text or 1)
    except ValueError:
        raise DataError(f"Expected a number in row {row + 1} of {path}, got {text!r}.") from None


def _format(boxes: Any, layout: Layout | None) -> BoxFormat | None:
    """Shares where no number is above 1, else pixels."""
    if layout is None:
        return None
    given = boxes[~np.isnan(boxes).any(axis=1)]
    shares = len(given) and given.max() <= 1 and (given % 1 != 0).any()
    return BoxFormat(layout, "relative" if shares else "pixels")


def _read(path: Path) -> pa.Table:
    from pyarrow import csv

    header = Sample(path).columns
    head = Sample(path).head.partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=head.count)
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    names = csv.ReadOptions(column_names=header, skip_rows=1)
    parse = csv.ParseOptions(delimiter=delimiter)
    try:
        try:
            return csv.read_csv(path, names, parse, options)
        except pa.ArrowInvalid as error:
            if "UTF8" not in str(error):
                raise
            names.encoding = "cp1252"
            return csv.read_csv(path, names, parse, options)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"Expected a CSV at {path}, got: {reason(error)}.") from None


def _boxes(table: pa.Table, columns: Columns, path: Path) -> Any:
    """The numbers of each row `[n, 4]`, NaN where it has no box."""
    if len(columns.names) == 4:
        return _numbers(table, columns.names, path)
    rows = [_four(cell, row, path) for row, cell in enumerate(table[columns.names[0]].to_pylist())]
    return np.array(rows, np.float64).reshape(-1, 4)


def _four(cell: str | None, row: int, path: Path) -> list[float]:
    if not cell:
        return [np.nan] * 4
    try:
        values = (
            json.loads(cell) if cell.lstrip().startswith("[") else cell.replace(",", " ").split()
        )
        numbers = [float(value) for value in values]
    except (ValueError, TypeError):
        numbers = []
    if len(numbers) != 4:
        raise DataError(f"Expected four numbers in row {row + 1} of {path}, got {cell!r:.60}.")
    return numbers


def _numbers(table: pa.Table, names: Sequence[str], path: Path) -> Any:
    try:
        points = (pc.replace_substring(table[name], ",", ".") for name in names)  # 10,5
        parts = [part.cast(pa.float64()).to_numpy() for part in points]
    except pa.ArrowException as error:
        what = ", ".join(names)
        raise DataError(f"Expected numbers as {what} in {path}, got: {reason(error)}.") from None
    return np.stack(parts, axis=1)


def is_box_table(sample: Sample) -> bool:
    """Whether a file is a table with columns of pictures and boxes."""
    if sample.suffix not in {".csv", ".tsv"}:
        return False
    names = {name.lower() for name in sample.columns}
    columns = find_columns(sample.columns)
    paths = {*map(key_of, PATHS), *_MORE[PATHS]}
    if columns is None or not {*map(key_of, names)} & paths:
        return False
    if {"observationid", "observationtype"} <= names:  # Camtrap DP, which has more to say
        return False
    own = {name.lower() for name in columns.names} in ({"x0", "y0", "x1", "y1"}, {"box"})
    return not (own and names & MORE)


FORM = Form("a table of boxes", is_box_table, read, columns=True)
