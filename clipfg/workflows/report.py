"""Finished runs again: from their folders, alone or side by side."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clipfg.atomic import finished
from clipfg.errors import DataError
from clipfg.evaluation.bags.report import BagReport
from clipfg.evaluation.choices.report import ChoiceReport
from clipfg.evaluation.curves.budget_curve import BudgetCurve
from clipfg.evaluation.curves.learning_curve import LearningCurve
from clipfg.evaluation.page import render_page
from clipfg.evaluation.report.report import Report
from clipfg.evaluation.report.side_by_side import SideBySide
from clipfg.evaluation.results import read_result
from clipfg.evaluation.tuning.report import TuningReport
from clipfg.trees import parse_json
from clipfg.workflows.bags.galleries import bag_galleries
from clipfg.workflows.mistakes import surest_mistakes
from clipfg.workflows.run_folder import file_name

COMPARED = ("top1", "top5", "mean_per_class", "macro_f1", "nll", "ece")


Finished = Report | ChoiceReport | LearningCurve | BudgetCurve | TuningReport | BagReport


def read_reports(run: Path) -> list[tuple[str, Finished]]:
    """The report of a run folder under its name, or one for each prompt set that was compared.

    A few-shot run has a learning curve in its place, compared coresets a curve by budget. Raises
    `DataError` when there is none or it is damaged.
    """
    path = run / "results.json" if run.is_dir() else run
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"Expected a finished run with results.json in {run}, got none; a run that was"
            " interrupted has not written it yet: run its command again."
        ) from None
    except (DataError, UnicodeDecodeError):
        raise DataError(f"Expected JSON in {path}, got something else.") from None
    except OSError as error:
        raise DataError(f"Expected results in {path}, got {error.strerror or error}.") from None
    try:
        result = read_result(content)
    except DataError as error:
        raise DataError(f"{path} is no report: {error}") from None
    if isinstance(result, SideBySide):
        return [(f"{run.name} {name}", own) for name, own in result.reports.items()]
    return [(run.name, result)]


@contextmanager
def shown_of(runs: Sequence[Path]) -> Iterator[None]:
    """Raises `DataError` where results have the right fields and yet contradict themselves."""
    try:
        yield
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise DataError(
            f"Expected results that can be shown in {', '.join(map(str, runs))}, got damaged ones"
            f" ({type(error).__name__}: {error!s:.100}); run the command that wrote them again."
        ) from None


def write_html(run: Path) -> list[Path]:
    """Write `report.html` into a run folder, or one for each prompt set; the paths are returned."""
    reports = read_reports(run)
    pages = []
    for name, report in reports:
        suffix = f"-{file_name(name.removeprefix(f'{run.name} '))}" if len(reports) > 1 else ""
        page = run / f"report{suffix}.html"
        mistakes, galleries = [], []
        if isinstance(report, BagReport):
            galleries = bag_galleries(run)
        else:
            mistakes = surest_mistakes(run / f"predictions{suffix}.parquet")
        with finished(page) as partial:
            text = render_page(report, mistakes, galleries)
            partial.write_text(text, encoding="utf-8", errors="backslashreplace")
        pages.append(page)
    return pages


def compare(reports: Sequence[tuple[str, Finished]]) -> list[dict[str, Any]]:
    """A row per report: what it was, and its figures; of a curve, a row per cell, and of choices
    one per subset.
    """
    rows = []
    for name, report in reports:
        own: dict[str, Any] = {"run": name, "n": report.n, **report.context}
        if not isinstance(report, Report):
            rows += [own | row for row in report.rows()]
            continue
        if report.transductive:
            own["transductive"] = report.transductive
        estimates = {metric: report.metrics.get(metric) for metric in COMPARED}
        rows.append(own | {k: one.value for k, one in estimates.items() if one is not None})
    # Runs may differ in what they say of themselves; a table has one set of columns.
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return [{key: row.get(key) for key in columns} for row in rows]
