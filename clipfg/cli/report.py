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
) -> None:
    """Show a finished run again; several runs side by side."""
    from clipfg.cli.output import chosen_format, print_result, print_rows
    from clipfg.workflows.report import compare, read_reports, shown_of, write_html

    reports = [report for run in runs for report in read_reports(run)]
    with shown_of(runs):
        if options.html:
            for run in runs:
                for page in write_html(run):
                    typer.echo(page, err=True)
        if len(reports) > 1:
            # To be read, runs of a kind are a table: others have other columns.
            readable = chosen_format(options.format) == "table"
            kinds = dict.fromkeys(type(one) if readable else object for _, one in reports)
            for place, kind in enumerate(kinds):
                if place:
                    typer.echo()
                of_kind = [(run, one) for run, one in reports if isinstance(one, kind)]
                print_rows(compare(of_kind), options.format)
            return
        _, result = reports[0]
        print_result(result, result.rows(), options.format, whole=True)
