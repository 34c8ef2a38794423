"""`clipfg report`: finished runs again, alone or side by side."""

from pathlib import Path
from typing import Annotated

import typer

from clipfg.cli.command import command
from clipfg.options import ReportOptions


@command(ReportOptions)
def report(
    options: ReportOptions,
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders.")],
) -> int:
    """Show a finished run again; several runs side by side."""
    from clipfg.cli.output import chosen_format, print_result, print_rows
    from clipfg.workflows.report import compare, read_reports, write_html

    reports = [report for run in runs for report in read_reports(run)]
    if options.html:
        for page in (page for run in runs for page in write_html(run)):
            typer.echo(page, err=True)
    form = chosen_format(options.format)
    if len(reports) == 1:
        print_result(reports[0][1], form)
    else:
        print_rows(compare(reports), form)
    return 0
