"""Files that name a support set: an id per line, or a table of `id` and optionally `label`."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from clipfg.errors import DataError, UsageError


def read_support_file(path: Path) -> tuple[list[str], list[str | None]]:
    """Ids in order, and the label that the file gives each, or None.

    CSV, TSV and JSON lines have columns `id` (or `path`) and optionally `label`; any other file is
    read as text with an id per line. Raises `UsageError` when there is no such file, `DataError`
    for one that cannot be parsed, is empty, or names an id twice.
    """
    suffix = path.suffix.lower()
    try:
        text = path.read_text(encoding="utf-8-sig")
        if suffix in {".csv", ".tsv"}:
            delimiter = "," if suffix == ".csv" else "\t"
            found = _from_rows(csv.DictReader(text.splitlines(), delimiter=delimiter), path)
        elif suffix in {".jsonl", ".ndjson"}:
            found = _from_rows((json.loads(line) for line in text.splitlines() if line), path)
        else:
            found = [(line.strip(), None) for line in text.splitlines() if line.strip()]
    except OSError as error:
        raise UsageError(f"Expected a file of ids at {path}: {error.strerror}.") from None
    except (ValueError, csv.Error) as error:
        raise DataError(
            f"Expected {suffix[1:].upper() or 'text'} in {path}, got {error}."
        ) from None
    if not found:
        raise DataError(f"Expected the ids of a support set in {path}, got none.")
    ids = [identity for identity, _ in found]
    if len(set(ids)) < len(ids):
        twice = next(identity for identity in ids if ids.count(identity) > 1)
        raise DataError(f"Expected each id once in {path}, got {twice!r} more than once.")
    return ids, [label for _, label in found]


def _from_rows(rows: Iterable[Any], path: Path) -> list[tuple[str, str | None]]:
    found = []
    for number, row in enumerate(rows, 1):
        named = isinstance(row, Mapping) and (row.get("id") or row.get("path"))
        if not named:
            raise DataError(f"Expected an `id` in row {number} of {path}, got {row!r:.60}.")
        label = row.get("label")
        found.append((str(named), None if label in (None, "") else str(label)))
    return found
