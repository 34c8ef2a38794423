"""JSON lines: an object for each image."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from clipfg.data.readers.delimited import SAMPLE
from clipfg.data.readers.table_columns import CORNERS
from clipfg.data.readers.table_formats.base import TableFile
from clipfg.data.readers.table_formats.cells import STRUCTURED, typed
from clipfg.data.sources import reason
from clipfg.errors import DataError

MOST_SAMPLED = 10_000
"""Rows by which the columns are known: not every row has all of them."""


def open_lines(path: Path) -> TableFile:
    """JSON lines. Raises `DataError` for a line that is no object."""
    columns: dict[str, None] = {}
    rows: list[Mapping[str, Any]] = []
    for row in islice(_json_rows(path), MOST_SAMPLED):
        columns |= dict.fromkeys(row)
        if len(rows) < SAMPLE:
            rows.append(row)

    def read(chosen: Mapping[str, str]) -> pa.Table:
        values: dict[str, list[Any]] = {ours: [] for ours in chosen}
        for row in _json_rows(path):
            for ours, theirs in chosen.items():
                cell = row.get(theirs)
                values[ours].append(cell if ours in {*STRUCTURED, *CORNERS} else _text(cell))
        return pa.table({ours: _from_json(cells, ours, path) for ours, cells in values.items()})

    sample = {column: [_text(row.get(column)) or "" for row in rows] for column in columns}
    return TableFile("JSON lines", tuple(columns), sample, read)


def _from_json(values: list[Any], column: str, path: Path) -> pa.Array:
    if column in STRUCTURED:
        return typed(values, column, path)
    return pa.array(values, pa.float32() if column in CORNERS else pa.string())


def _text(cell: Any) -> str | None:
    return cell if cell is None or isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)


def _json_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                place = f"line {number} of {path}"
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise DataError(
                        f"Expected JSON in {place}, got {reason(error):.200}."
                    ) from None
                if not isinstance(row, Mapping):
                    raise DataError(f"Expected an object in {place}, got {row!r:.60}.")
                yield row
    except UnicodeDecodeError:
        raise DataError(f"Expected JSON lines in UTF-8 at {path}, got another encoding.") from None
