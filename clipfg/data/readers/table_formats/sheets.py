"""Spreadsheets: the first sheet that names pictures, with those of the same columns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from clipfg.data.readers import column_names as names
from clipfg.data.readers.column_names import key_of
from clipfg.data.readers.delimited import SAMPLE
from clipfg.data.readers.labels import split_name
from clipfg.data.readers.table_columns import CORNERS, is_headless
from clipfg.data.readers.table_formats.base import TableFile, sampled, unique
from clipfg.data.readers.table_formats.cells import STRUCTURED, parse_cell, typed
from clipfg.data.sources import reason
from clipfg.errors import DataError, MissingError

HEADERS = 5
"""Rows among which the header is."""


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
            sheets = {name: _rows(book.get_sheet_by_name(name)) for name in book.sheet_names}
    except (python_calamine.CalamineError, python_calamine.WorksheetNotFound) as error:
        raise DataError(f"Expected a spreadsheet at {path}, got {reason(error):.200}.") from None
    texts = {name: [[*map(_cell_text, row)] for row in rows] for name, rows in sheets.items()}
    cells = joined_sheets({name: [*filter(any, rows)] for name, rows in texts.items()})
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


def _rows(sheet: Any) -> list[list[Any]]:
    """The cells of a sheet; each of those that were merged has what all of them say."""
    rows: list[list[Any]] = sheet.to_python(skip_empty_area=False)
    for (top, left), (bottom, right) in getattr(sheet, "merged_cell_ranges", None) or ():
        for row in rows[top : bottom + 1]:
            row[left : right + 1] = [rows[top][left]] * len(row[left : right + 1])
    return rows


def joined_sheets(sheets: Mapping[str, Sequence[list[str]]]) -> list[list[str]]:
    """The rows of the sheets that have the columns of the first that names pictures.

    Of several, a column more has the names of the sheets: they are splits, or classes where no
    column names these.
    """
    tables = {name: _below_titles(rows) for name, rows in sheets.items() if rows}
    headers = [rows[0] for rows in tables.values()]
    header = next((one for one in headers if _known(one) or is_headless(one)), None)
    alike = {n: rows for n, rows in tables.items() if rows[0] == (header or headers[0])}
    if len(alike) < 2 or header is None:
        return next(iter(alike.values()), [])
    keys = {*map(key_of, header)}
    called = "sheet"
    if all(map(split_name, alike)) and not keys & {*names.SPLITS}:
        called = "split"
    elif not keys & {*names.LABELS, *names.COMMON, *names.SCIENTIFIC}:
        called = "label"
    return [[*header, called], *([*row, name] for name, rows in alike.items() for row in rows[1:])]


def _below_titles(rows: Sequence[list[str]]) -> list[list[str]]:
    """The rows from the header on: of the first, that with the most names of columns, each once."""
    if is_headless(rows[0]):
        return [*rows]
    told = [(_known(row), len({*row}) == len(row)) for row in rows[:HEADERS]]
    return [*rows[told.index(max(told)) if max(told)[0] else 0 :]]


def _known(row: Sequence[str]) -> int:
    known = {*names.PATHS, *names.IDS, *names.LABELS, *names.SPLITS}
    return len(known.intersection(map(key_of, row)))


def _cell_text(cell: Any) -> str:
    whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell) if whole else cell).strip()
