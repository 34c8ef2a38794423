"""`clipfg report`: look at finished runs again, alone or side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipfg.cli import options


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders.")],
    html: Annotated[
        bool, typer.Option("--html", help="Write report.html into each run folder.")
    ] = False,
    format: options.Format = None,
) -> int:
    """Show a finished run again; several runs side by side."""
    from clipfg.cli.output import (
        chosen_format,
        print_budgets,
        print_curve,
        print_report,
        print_rows,
    )
    from clipfg.evaluation.curves.learning_curve import LearningCurve
    from clipfg.evaluation.report.report import Report
    from clipfg.workflows.report import compare, read_reports, write_html

    reports = [report for run in runs for report in read_reports(run)]
    if html:
        for page in (page for run in runs for page in write_html(run)):
            typer.echo(page, err=True)
    alone = reports[0][1] if len(reports) == 1 else None
    if isinstance(alone, Report):
        print_report(alone, chosen_format(format))
    elif isinstance(alone, LearningCurve):
        print_curve(alone, chosen_format(format))
    elif alone is not None:
        print_budgets(alone, chosen_format(format))
    else:
        print_rows(compare(reports), format)
    return 0
