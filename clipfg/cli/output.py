"""Rows on stdout: a table for a person, or a format for a program."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipfg.printable import printable, printable_lines

if TYPE_CHECKING:
    from clipfg.evaluation.terminal import Result
    from clipfg.workflows.run_folder import Run

Row = Mapping[str, Any]

NOTABLE = 0.05
"""The probability from which a table mentions a class beside the likeliest."""

LISTED = 5
"""Classes of a set that a table names at the most."""


def chosen_format(asked: str | None) -> str:
    """The format that was asked for; else a table on a terminal, JSON lines in a pipe."""
    return asked or ("table" if sys.stdout.isatty() else "jsonl")


def print_rows(
    rows: Sequence[Row], format: str | None, *, title: str | None = None, header: bool = True
) -> None:
    """Print rows that share their keys; `header` is whether CSV begins with a line of names."""
    form = chosen_format(format)
    if form == "table":
        _print_table(rows, title)
    elif form == "json":
        json.dump(list(rows), sys.stdout, indent=2, ensure_ascii=False, default=str)
        sys.stdout.write("\n")
    elif form == "jsonl":
        for row in rows:
            sys.stdout.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
    elif form == "csv":
        if rows:
            writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]), lineterminator="\n")
            if header:
                writer.writeheader()
            writer.writerows({k: _cell(v) for k, v in row.items()} for row in rows)
    else:
        _print_parquet(rows)


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | tuple) else value


def _print_table(rows: Sequence[Row], title: str | None) -> None:
    """Columns in their order where they fit; else what all rows share above, names first, and
    numbers in tables below.
    """
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    from clipfg.cli.console import stdout
    from clipfg.pages.terminal_table import NARROWEST, table

    if not rows:
        say("Nothing to show.")
        return
    keys = list(rows[0])
    numbers = [key for key in keys if all(_is_number(row[key]) for row in rows)]
    cells = [{key: _text(row[key]) for key in keys} for row in rows]
    widths = {key: max(cell_len(cell[key]) for cell in cells) for key in keys}
    least = sum(
        max(widths[key], len(key)) + 2 if key in numbers else min(widths[key], NARROWEST) + 2
        for key in keys
    )
    if least > stdout().width:
        names = [key for key in keys if key not in numbers]
        shared = [key for key in names[1:] if len({cell[key] for cell in cells}) == 1 < len(cells)]
        said = [f"{key.replace('_', ' ')} {cells[0][key]}" for key in shared if cells[0][key]]
        names = [key for key in names if key not in shared]
        body = [[cell[key] for key in (*names, *numbers)] for cell in cells]
        left, right = ([key.replace("_", " ") for key in part] for part in (names, numbers))
        if title:
            stdout().print(Text(title, style="italic"))
        if said:
            stdout().print(Text("  ·  ".join(said) + "\n"))
        stdout().print(table(left, right, body, stdout().width))
        return
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for key in keys:
        is_number = key in numbers
        shown.add_column(
            key.replace("_", " "),
            justify="right" if is_number else "left",
            no_wrap=is_number,
            overflow="fold",  # a path that is cut is a path that cannot be copied
        )
    for cell in cells:
        shown.add_row(*map(Text, cell.values()))
    stdout().print(shown)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if value < 1000 else f"{value:,.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return printable(str(value))


def _print_parquet(rows: Sequence[Row]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), buffer)
    sys.stdout.buffer.write(buffer.getvalue())


def print_result(
    result: Result, rows: Sequence[Row], format: str | None, *, whole: bool = False
) -> None:
    """A result for a person, or its figures as rows; `whole`: as `json` all of it."""
    form = chosen_format(format)
    if form == "table":
        from clipfg.cli.console import stdout
        from clipfg.evaluation.terminal import render_terminal

        stdout().print(render_terminal(result, stdout().width))
    elif form == "json" and whole:
        from clipfg.evaluation.serialization import to_json

        json.dump(to_json(result), sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        print_rows(rows, form)


def say(text: str) -> None:
    """A line on stderr, whole however long."""
    from clipfg.cli.console import stderr

    stderr().print(printable_lines(text), markup=False, soft_wrap=True)


def finish(run: Run) -> int:
    """Say where the run folder is; the exit code of a finished job."""
    say(f"Run folder: {run.folder}")
    return run.exit_code


def print_predictions(path: Path, format: str | None, *, shown: int) -> None:
    """Rows of a predictions file: the first `shown` in a table, all of them otherwise."""
    import pyarrow.parquet as pq

    form = chosen_format(format)
    file = pq.ParquetFile(path)
    if form == "table":
        first = next(file.iter_batches(batch_size=shown), None)
        rows = first.to_pylist() if first is not None else []
        print_rows([_prediction_row(row) for row in rows], form)
        if (more := file.metadata.num_rows - len(rows)) > 0:
            say(f"… and {more:,} more in predictions.parquet.")
    elif form == "parquet":
        with path.open("rb") as source:
            shutil.copyfileobj(source, sys.stdout.buffer)
    elif form in ("csv", "jsonl"):
        for i, batch in enumerate(file.iter_batches(batch_size=4096)):
            print_rows(batch.to_pylist(), form, header=i == 0)
    else:
        print_rows(file.read().to_pylist(), form)


def _prediction_row(row: Row) -> Row:
    """The answer, and what else it might be: of the others, those worth a word."""
    cells = {"bag" if "instances" in row else "image": row["id"]}
    if "answer" in row or "unknown" in row:
        cells["answer"] = _answer(row)
    cells |= {"prediction": row["prediction"], "probability": f"{row['probability']:.0%}"}
    if "set" in row:
        cells["one_of"] = _set(row["set"])
    else:
        answers = list(zip(row["names"], row["probabilities"], strict=True))
        others = [f"{name} {share:.0%}" for name, share in answers[1:] if share >= NOTABLE]
        cells["alternatives"] = ", ".join(others)
    return cells


def _answer(row: Row) -> str:
    if row.get("unknown"):
        return "(unknown)"
    return row.get("answer", row["prediction"]) or "(abstained)"


def _set(names: Sequence[str] | None) -> str:
    """The classes of a set, likeliest first; a set of many by its first and its size."""
    if names is None:
        return "–"
    if len(names) > LISTED:
        return f"{', '.join(names[: LISTED - 1])}, … ({len(names)})"
    return ", ".join(names) or "(empty set)"
