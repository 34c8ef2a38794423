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
    from clipfg.cli.output import chosen_format, print_report, print_rows
    from clipfg.workflows.report import compare, read_report, write_html

    reports = [read_report(run) for run in runs]
    if html:
        for run in runs:
            typer.echo(write_html(run), err=True)
    if len(reports) == 1:
        print_report(reports[0], chosen_format(format))
    else:
        print_rows(compare(runs, reports), format)
    return 0
