"""CSV and TSV, in whatever encoding and dialect they come."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from clipfg.data.readers.delimited import check_quotes, dialect_of
from clipfg.data.readers.table_columns import CORNERS, is_headless
from clipfg.data.readers.table_formats.base import TableFile, sampled, unique
from clipfg.data.readers.table_formats.cells import STRUCTURED, parse_cell, typed
from clipfg.data.readers.text import encoding_of, western
from clipfg.errors import DataError

HEAD = 1 << 16
"""Bytes by which a file's encoding and dialect are known."""


def open_csv(path: Path) -> TableFile:
    """A CSV by its own encoding and dialect. Raises `DataError` for a binary file."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    encoding = encoding_of(head)
    if encoding is None:
        raise DataError(f"Expected a CSV at {path}, got a binary file.")
    text = head.decode(encoding, errors="replace").lstrip("\ufeff")
    if encoding == "utf-8-sig" and "\ufffd" in text[:-1]:
        text = head.decode("cp1252", errors="replace")
    if len(head) == HEAD:
        text = text[: text.rfind("\n") + 1] or text  # whole rows alone
    dialect = dialect_of(text, "\t" if path.suffix.lower() == ".tsv" else None)
    headless = is_headless(dialect.first)
    columns = unique([""] * len(dialect.first) if headless else dialect.first)
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
            values = [parse_cell(value, column, row, path) for row, value in cells]
            found[column] = typed(values, column, path)
        for column in set(CORNERS) & found.keys():
            found[column] = found[column].cast(pa.float32())
        return pa.table(found)

    return TableFile("CSV", columns, sampled(columns, rows), read, headless)


def _odd_quotes(path: Path) -> bool:
    with path.open("rb") as file:
        return sum(part.count(b'"') for part in iter(lambda: file.read(HEAD), b"")) % 2 == 1


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
    for tried in (encoding, "cp1252"):
        if tried != encoding:
            western(path.read_bytes(), path)
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
