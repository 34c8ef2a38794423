"""The formats of tables of images: CSV, TSV, JSON lines, Parquet and Excel, read in columns."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers.caption_cells import captions_in
from clipfg.data.readers.column_names import COMMON, IDS, LABELS, PATHS, SCIENTIFIC, key_of
from clipfg.data.readers.delimited import SAMPLE, check_quotes, dialect_of
from clipfg.data.readers.embedded_images import parquet_uri
from clipfg.data.readers.hub_features import image_column, label_column
from clipfg.data.readers.table_columns import CORNERS, NoPathsError, is_headless
from clipfg.data.readers.text import encoding_of
from clipfg.data.sources import reason
from clipfg.errors import DataError, MissingError
from clipfg.types import BOX, COLUMNS

SHEETS = frozenset({".xlsx", ".xls", ".xlsb", ".ods"})
SUFFIXES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq"}) | SHEETS

STRUCTURED = {name: COLUMNS[name] for name in ("box", "regions", "captions")}
"""Columns that hold more than text."""

_HEAD = 1 << 16
MOST_SAMPLED = 10_000
"""Rows of JSON lines by which their columns are known: not every row has all of them."""


@dataclass(frozen=True)
class TableFile:
    """An open table: its columns, some values of each, and how to read them."""

    kind: str
    """`"CSV"`, ..."""
    columns: tuple[str, ...]
    """Unique names, stripped; `#0` for the first where it has none."""
    sample: Mapping[str, Sequence[str]]
    read: Callable[[Mapping[str, str]], pa.Table]
    """The columns of a mapping from ours to the table's: text, but for `STRUCTURED` ones."""
    headless: bool = False
    image: str | None = None
    """The column that holds the images themselves, where there is one."""
    label: str | None = None
    """The column whose numbers index `class_names`."""
    class_names: tuple[str, ...] = ()


def is_tabular(path: Path) -> bool:
    """Whether a file of another suffix is a table of pictures by its header: `occurrence.txt`."""
    if path.suffix.lower() not in {"", ".txt", ".tab", ".dat"}:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        text = head.decode(encoding_of(head) or "utf-8", errors="replace").lstrip("\ufeff")
        first = {key_of(cell) for cell in dialect_of(text).first}
    except (OSError, DataError, LookupError):
        return False
    return bool(first & {*PATHS, *IDS}) and bool(first & {*LABELS, *COMMON, *SCIENTIFIC})


def open_table(path: Path) -> TableFile:
    """The table at `path`.

    Raises `DataError` for a file that is not what its suffix says, `MissingError` for a spreadsheet
    without the extra `tables`.
    """
    suffix = path.suffix.lower()
    readers = {".jsonl": _open_lines, ".ndjson": _open_lines}
    readers |= {".parquet": _open_parquet, ".pq": _open_parquet}
    readers |= dict.fromkeys(SHEETS, _open_sheet)
    return guarded(path, readers.get(suffix, _open_csv))


def guarded(path: Path, read: Callable[[Path], Any]) -> Any:
    """What `read` makes of a table, with what goes wrong as one sentence."""
    try:
        return read(path)
    except DataError as error:
        known = str(path) in str(error)
        raise type(error)(str(error) if known else f"{error} ({path})") from None
    except OSError as error:
        raise DataError(f"Expected a readable table at {path}, got {reason(error)}.") from None
    except (pa.ArrowException, ValueError, OverflowError, RecursionError) as error:
        kind = path.suffix.lstrip(".").upper()
        raise DataError(f"Expected {kind} in {path}, got: {reason(error):.300}.") from None


def _unique(columns: Sequence[str]) -> tuple[str, ...]:
    """Names with repetitions and blanks made distinct: `#0` for a first column without one."""
    first = {name: i for i, name in reversed([*enumerate(columns)])}
    return tuple(n if n and first[n] == i else f"{n}#{i}" for i, n in enumerate(columns))


def _sampled(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    wide = [row for row in rows if len(row) >= len(columns)]
    return {column: [row[i] for row in wide] for i, column in enumerate(columns)}


def _open_csv(path: Path) -> TableFile:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    encoding = encoding_of(head)
    if encoding is None:
        raise DataError(f"Expected a CSV at {path}, got a binary file.")
    text = head.decode(encoding, errors="replace").lstrip("\ufeff")
    if len(head) == _HEAD:
        text = text[: text.rfind("\n") + 1] or text  # whole rows alone
    dialect = dialect_of(text, "\t" if path.suffix.lower() == ".tsv" else None)
    headless = is_headless(dialect.first)
    columns = _unique([""] * len(dialect.first) if headless else dialect.first)
    rows = [dialect.first, *dialect.sample] if headless else dialect.sample
    # A single column divides nothing: its commas belong to it.
    delimiter = dialect.delimiter if len(columns) > 1 else "\x1f"

    def read(chosen: Mapping[str, str]) -> pa.Table:
        if _odd_quotes(path):
            with path.open(encoding=encoding, errors="replace", newline="") as file:
                check_quotes(file, delimiter, dialect.skipped)
        table = _csv_columns(
            path,
            columns,
            [*dict.fromkeys(chosen.values())],
            delimiter=delimiter,
            skipped=dialect.skipped,
            header=not headless,
            encoding="utf-8" if encoding == "utf-8-sig" else encoding,
        )
        found = {ours: table[theirs] for ours, theirs in chosen.items()}
        for column in STRUCTURED.keys() & found:
            cells = enumerate(found[column].to_pylist(), 1)
            values = [_parse_cell(value, column, row, path) for row, value in cells]
            found[column] = _typed(values, column, path)
        for column in set(CORNERS) & found.keys():
            found[column] = found[column].cast(pa.float32())
        return pa.table(found)

    return TableFile("CSV", columns, _sampled(columns, rows), read, headless)


def _odd_quotes(path: Path) -> bool:
    with path.open("rb") as file:
        return sum(part.count(b'"') for part in iter(lambda: file.read(_HEAD), b"")) % 2 == 1


def _csv_columns(
    path: Path,
    columns: Sequence[str],
    wanted: list[str],
    *,
    delimiter: str,
    skipped: int,
    header: bool,
    encoding: str,
) -> pa.Table:
    from pyarrow import csv

    convert = csv.ConvertOptions(
        include_columns=wanted,
        column_types=dict.fromkeys(wanted, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
    )
    parse = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    for tried in (encoding, "cp1252", "latin-1"):
        rows = csv.ReadOptions(
            encoding=tried,
            column_names=columns,
            skip_rows=skipped,
            skip_rows_after_names=int(header),
        )
        try:
            return csv.read_csv(path, rows, parse, convert)
        except UnicodeDecodeError:
            pass
        except pa.ArrowInvalid as error:
            if "UTF8" not in str(error) and "decode" not in str(error):
                raise
        if encoding != "utf-8":
            break
    raise DataError(f"Expected a CSV in UTF-8, UTF-16 or Windows Latin at {path}.")


def _parse_cell(value: str | None, column: str, row: int, path: Path) -> Any:
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


def _typed(values: list[Any], column: str, path: Path) -> pa.Array:
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


def _open_parquet(path: Path) -> TableFile:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        groups = [file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)]
        image = image_column(schema, typed=True)
        strings = {f.name for f in schema if str(f.type) in {"string", "large_string"}}
        if image is None and not {key_of(name) for name in strings}.intersection(PATHS):
            image = image_column(schema)
        if image is None and not strings:
            raise NoPathsError(f"Expected paths or images in a column of {path}, got neither.")
        flat = [f.name for f in schema if f.name != image and not pa.types.is_struct(f.type)]
        head = next(file.iter_batches(SAMPLE, columns=flat), None) if sum(groups) else None
    label, names = label_column(schema)
    sample = {
        name: [] if head is None else [value or "" for value in _texts(head[name]).to_pylist()]
        for name in flat
    }

    def read(chosen: Mapping[str, str]) -> pa.Table:
        with parquet.ParquetFile(path) as opened:
            table = opened.read(columns=list(dict.fromkeys(chosen.values())))
            found = {
                ours: table[theirs] if ours in {*STRUCTURED, *CORNERS} else _texts(table[theirs])
                for ours, theirs in chosen.items()
            }
            if "captions" in found:
                found["captions"] = _typed(found["captions"].to_pylist(), "captions", path)
            if image is not None:
                where = enumerate(groups)
                uris = [parquet_uri(path, k, r, image) for k, rows in where for r in range(rows)]
                found["uri"] = pa.array(uris, pa.string())
                found.setdefault("id", _ids_inside(opened, image, len(uris)))
        return pa.table(found)

    return TableFile(
        *("Parquet", tuple(flat), sample, read),
        image=image,
        label=label if names else None,
        class_names=tuple(names or ()),
    )


def _texts(values: Any) -> Any:
    """Any column as text: lists and other structures as JSON."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _texts(values.cast(kind.value_type))
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        rows = [None if v is None else json.dumps(v, default=str) for v in values.to_pylist()]
        return pa.array(rows, pa.string())
    if pa.types.is_floating(kind):  # numbers with gaps, as pandas has them
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, kind), values)
    return values.cast(pa.string())


def _ids_inside(file: Any, image: str, rows: int) -> pa.Array:
    """The original paths of the images, where each has its own; else their row numbers."""
    if pa.types.is_struct(file.schema_arrow.field(image).type):
        cells = file.read(columns=[f"{image}.path"]).column(0).to_pylist() if rows else []
        paths = [cell.get("path") if cell else None for cell in cells]
        if all(paths) and len(set(paths)) == rows:
            return pa.array(paths, pa.string())
    return pa.array([str(row) for row in range(rows)], pa.string())


def _open_lines(path: Path) -> TableFile:
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
        return _typed(values, column, path)
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


def _open_sheet(path: Path) -> TableFile:
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
    columns = _unique([""] * len(cells[0]) if headless else cells[0])
    body = cells if headless else cells[1:]
    places = {column: place for place, column in enumerate(columns)}

    def read(chosen: Mapping[str, str]) -> pa.Table:
        found = {}
        for ours, theirs in chosen.items():
            values = [row[places[theirs]] or None for row in body]
            if ours in STRUCTURED:
                parsed = [_parse_cell(v, ours, row, path) for row, v in enumerate(values, 1)]
                found[ours] = _typed(parsed, ours, path)
            else:
                texts = pa.array(values, pa.string())
                found[ours] = texts.cast(pa.float32()) if ours in CORNERS else texts
        return pa.table(found)

    return TableFile("spreadsheet", columns, _sampled(columns, body[:SAMPLE]), read, headless)


def _cell_text(cell: Any) -> str:
    whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell) if whole else cell).strip()
