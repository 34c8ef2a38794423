"""Finished runs again: from their folders, alone or side by side."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipfg.errors import DataError
from clipfg.evaluation.report import Report

COMPARED = ("top1", "top5", "mean_per_class", "macro_f1", "nll", "ece")


def read_report(run: Path) -> Report:
    """The report of a run folder. Raises `DataError` when there is none or it is damaged."""
    path = run / "results.json" if run.is_dir() else run
    try:
        return Report.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DataError(
            f"Expected a finished run with results.json in {run}, got none; a run that was"
            " interrupted has not written it yet: run its command again."
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise DataError(f"Expected JSON in {path}, got something else.") from None


def write_html(run: Path) -> Path:
    """Write `report.html` into a run folder and return its path."""
    page = run / "report.html"
    part = run / "report.html.part"
    part.write_text(read_report(run).to_html(), encoding="utf-8")
    return part.replace(page)


def compare(runs: Sequence[Path], reports: Sequence[Report]) -> list[dict[str, Any]]:
    """A row per run: what it was, and its figures in per cent."""
    rows = []
    for run, report in zip(runs, reports, strict=True):
        row: dict[str, Any] = {"run": run.name, "n": report.n, **report.context}
        for name in COMPARED:
            if (estimate := report.metrics.get(name)) is not None:
                row[name] = estimate.value
        rows.append(row)
    return rows
