"""Cells that hold more than text: boxes, regions, captions."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from clipfg.data.readers.caption_cells import captions_in
from clipfg.data.readers.table_columns import CORNERS
from clipfg.data.sources import reason
from clipfg.errors import DataError
from clipfg.types import BOX, COLUMNS

STRUCTURED = {name: COLUMNS[name] for name in ("box", "regions", "captions")}
"""Columns that hold more than text."""


def parse_cell(value: str | None, column: str, row: int, path: Path) -> Any:
    """A box, regions or captions as a CSV holds them: JSON, four numbers, or a text."""
    if column == "captions":
        return value
    if not value:
        return None
    try:
        if column == "box" and not value.lstrip().startswith("["):
            return [float(part) for part in value.replace(",", " ").split()]
        return json.loads(value)
    except (ValueError, RecursionError):
        place = f"row {row} of {path}"
        raise DataError(f"Expected JSON as {column} in {place}, got {value!r:.80}.") from None


def typed(values: list[Any], column: str, path: Path) -> pa.Array:
    """A structured column of our types. Raises `DataError` for values of others."""
    if column == "captions":
        values = [captions_in(value) for value in values]
    try:
        return pa.array(values, STRUCTURED[column])
    except (pa.ArrowException, TypeError, ValueError) as error:
        what = "[x0, y0, x1, y1]" if column == "box" else "[{box, phrase}, ...]"
        raise DataError(
            f"Expected {column} as {what} in {path}, got: {reason(error):.200}."
        ) from None


def join_corners(table: pa.Table) -> pa.Table:
    """Four columns of numbers as one of boxes; a row that lacks a number has no box."""
    if not set(CORNERS) <= set(table.column_names):
        return table
    columns = [table[corner].cast(pa.float32()).to_pylist() for corner in CORNERS]
    boxes = [None if None in row else list(row) for row in zip(*columns, strict=True)]
    return table.drop_columns(list(CORNERS)).append_column("box", pa.array(boxes, BOX))
