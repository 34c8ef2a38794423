"""A table of images by its suffix or its header."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from clipfg.data.readers.column_names import COMMON, IDS, LABELS, PATHS, SCIENTIFIC, key_of
from clipfg.data.readers.delimited import dialect_of
from clipfg.data.readers.table_formats.base import TableFile
from clipfg.data.readers.table_formats.csv_files import HEAD, open_csv
from clipfg.data.readers.table_formats.json_lines import open_lines
from clipfg.data.readers.table_formats.parquet_files import open_parquet
from clipfg.data.readers.table_formats.sheets import open_sheet
from clipfg.data.readers.text import encoding_of
from clipfg.data.sources import reason
from clipfg.errors import DataError

SHEETS = frozenset({".xlsx", ".xls", ".xlsb", ".ods"})
SUFFIXES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq"}) | SHEETS


def is_tabular(path: Path) -> bool:
    """Whether a file of another suffix is a table of pictures by its header: `occurrence.txt`."""
    if path.suffix.lower() not in {"", ".txt", ".tab", ".dat"}:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
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
    readers = {".jsonl": open_lines, ".ndjson": open_lines}
    readers |= {".parquet": open_parquet, ".pq": open_parquet}
    if not _is_text(path):  # databases write text and call it .xls
        readers |= dict.fromkeys(SHEETS, open_sheet)
    return guarded(path, readers.get(suffix, open_csv))


def _is_text(path: Path) -> bool:
    """Whether a file is text by its first bytes, and so no spreadsheet of any kind."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return False
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    return wide or (bool(head) and b"\0" not in head and not head.startswith(b"PK"))


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
