"""Files that name a support set: an id per line, or a table of `id` and optionally `label`."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from clipfg.data.readers.column_names import IDS, LABELS, PATHS, first_of, key_of
from clipfg.data.readers.delimited import check_closed, dialect_of, rows_of
from clipfg.data.readers.text import lines_of, read_text
from clipfg.errors import DataError, UsageError
from clipfg.printable import from_cell
from clipfg.trees import parse_json

WHAT = "ids"
_IDS = tuple(key for key in ("id", *PATHS, *IDS) if key != "name")


def read_support_file(path: Path) -> tuple[list[str], list[str | None]]:
    """Ids in order, and the label that the file gives each, or None.

    CSV, TSV and JSON lines have columns `id` (or `path`) and optionally `label`, under any of the
    names and in any of the layouts and encodings that tables of images may have; any other file is
    read as text with an id per line. Raises `UsageError` when there is no such file, `DataError`
    for one that cannot be parsed, is empty, or names an id twice.
    """
    suffix = path.suffix.lower()
    if not path.exists():
        raise UsageError(f"Expected a file of ids at {path}: there is no such file.")
    text = read_text(path, WHAT)
    try:
        if suffix in {".csv", ".tsv"}:
            found = _from_rows(_csv_rows(text, "\t" if suffix == ".tsv" else None), path)
        elif suffix in {".jsonl", ".ndjson"}:
            lines = enumerate(lines_of(text), 1)
            found = _from_rows(((n, parse_json(line)) for n, line in lines if line.strip()), path)
        else:
            found = [(line.strip(), None) for line in lines_of(text) if line.strip()]
    except DataError as error:
        if str(path) in str(error):
            raise
        raise DataError(f"Expected {suffix[1:].upper()} in {path}, got: {error}") from None
    if not found:
        raise DataError(f"Expected the ids of a support set in {path}, got none.")
    ids = [identity for identity, _ in found]
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        twice = next(i for i in ids if i in seen or seen.add(i))  # type: ignore[func-returns-value]
        raise DataError(f"Expected each id once in {path}, got {twice!r:.80} more than once.")
    return ids, [label for _, label in found]


def _csv_rows(text: str, delimiter: str | None) -> Iterator[tuple[int, Mapping[str, str]]]:
    dialect = dialect_of(text, delimiter)
    rows = rows_of(text, dialect)
    next(rows, None)  # the header
    for line, cells in rows:
        if len(cells) > len(dialect.first):
            raise DataError(
                f"Expected {len(dialect.first)} cells in line {line}, got {len(cells)}."
            )
        closed = (from_cell(check_closed(cell, line)) for cell in cells)
        yield line, dict(zip(dialect.first, closed, strict=False))


def _from_rows(rows: Iterable[tuple[int, Any]], path: Path) -> list[tuple[str, str | None]]:
    found = []
    for number, (line, row) in enumerate(rows, 1):
        fields = row if isinstance(row, Mapping) else {}
        at = {key_of(str(column)): column for column in reversed(list(fields))}
        column = first_of(_IDS, at)
        named = fields.get(column) if column is not None else None
        if not isinstance(named, str | int) or named == "":
            raise DataError(
                f"Expected an `id` in row {number} of {path} (line {line}), got {row!r:.60}."
            )
        label = fields.get(first_of(LABELS, at) or "")
        if isinstance(label, list | dict):
            raise DataError(
                f"Expected one label for {str(named)!r:.80} in {path}, got {label!r:.60}."
            )
        found.append((str(named), None if label in (None, "") else str(label)))
    return found
