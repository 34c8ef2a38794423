"""Spreadsheets: the first sheet that has rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from clipfg.data.readers.delimited import SAMPLE
from clipfg.data.readers.table_columns import CORNERS, is_headless
from clipfg.data.readers.table_formats.base import TableFile, sampled, unique
from clipfg.data.readers.table_formats.cells import STRUCTURED, parse_cell, typed
from clipfg.data.sources import reason
from clipfg.errors import DataError, MissingError


def open_sheet(path: Path) -> TableFile:
    """A spreadsheet. Raises `DataError` for one that is empty or none, `MissingError` without the
    extra `tables`.
    """
    try:
        import python_calamine
    except ImportError:
        raise MissingError(
            f"Expected the extra 'tables' to read {path}; pip install 'clipfg[tables]', or save the"
            " sheet as CSV."
        ) from None
    try:
        with python_calamine.load_workbook(str(path)) as book:
            sheets = (book.get_sheet_by_name(name).to_python() for name in book.sheet_names)
            rows: list[list[Any]] = next((rows for rows in sheets if rows), [])
    except (python_calamine.CalamineError, python_calamine.WorksheetNotFound) as error:
        raise DataError(f"Expected a spreadsheet at {path}, got {reason(error):.200}.") from None
    cells = [[_cell_text(cell) for cell in row] for row in rows]
    cells = [row for row in cells if any(row)]
    if not cells:
        raise DataError(f"Expected rows in {path}, got none.")
    headless = is_headless(cells[0])
    columns = unique([""] * len(cells[0]) if headless else cells[0])
    body = cells if headless else cells[1:]
    places = {column: place for place, column in enumerate(columns)}

    def read(chosen: Mapping[str, str]) -> pa.Table:
        found = {}
        for ours, theirs in chosen.items():
            values = [row[places[theirs]] or None for row in body]
            if ours in STRUCTURED:
                parsed = [parse_cell(v, ours, row, path) for row, v in enumerate(values, 1)]
                found[ours] = typed(parsed, ours, path)
            else:
                texts = pa.array(values, pa.string())
                found[ours] = texts.cast(pa.float32()) if ours in CORNERS else texts
        return pa.table(found)

    return TableFile("spreadsheet", columns, sampled(columns, body[:SAMPLE]), read, headless)


def _cell_text(cell: Any) -> str:
    whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell) if whole else cell).strip()
