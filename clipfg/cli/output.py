"""Rows on stdout: a table for a person, or a format for a program."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def chosen_format(asked: str | None) -> str:
    """The format that was asked for; a table on a terminal, JSON lines in a pipe."""
    return asked or ("table" if sys.stdout.isatty() else "jsonl")


def print_rows(
    rows: Sequence[Row], format: str | None, *, title: str | None = None, shown: int | None = None
) -> None:
    """Print rows that share their keys; a table shows the first `shown` and says what it leaves out."""
    form = chosen_format(format)
    if form == "table":
        _print_table(rows, title, shown)
    elif form == "json":
        json.dump(list(rows), sys.stdout, indent=2, ensure_ascii=False, default=str)
        sys.stdout.write("\n")
    elif form == "jsonl":
        for row in rows:
            sys.stdout.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
    elif form == "csv":
        if rows:
            writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({k: _cell(v) for k, v in row.items()} for row in rows)
    else:
        _print_parquet(rows)


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return json.dumps(value, ensure_ascii=False)
    return value


def _print_table(rows: Sequence[Row], title: str | None, shown: int | None) -> None:
    from rich.table import Table
    from rich.text import Text

    from clipfg.cli.console import stderr, stdout

    if not rows:
        stderr().print("Nothing to show.")
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for key, value in rows[0].items():
        right = isinstance(value, int | float) and not isinstance(value, bool)
        table.add_column(key.replace("_", " "), justify="right" if right else "left")
    for row in rows[:shown]:
        table.add_row(*(Text(_text(value)) for value in row.values()))
    stdout().print(table)
    if shown is not None and len(rows) > shown:
        stderr().print(f"… and {len(rows) - shown:,} more.")


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if value < 1000 else f"{value:,.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return str(value)


def _print_parquet(rows: Sequence[Row]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), buffer)
    sys.stdout.buffer.write(buffer.getvalue())
