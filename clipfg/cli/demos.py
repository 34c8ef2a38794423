"""`clipfg demos`: demonstrations for a photo, as a ready prompt."""

from pathlib import Path
from typing import Annotated

import typer

from clipfg.cli.command import command, perform
from clipfg.options import DemosOptions

SHOWN = 5
"""Answers that a table shows."""


@command(DemosOptions)
def demos(
    options: DemosOptions, photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="An image.")]
) -> int:
    """Choose in-context demonstrations for a photo from a store.

    Prints them as a table on a terminal, and elsewhere the ready prompt as JSON. With --lvlm the
    model answers: every candidate is scored by its mean log-probability per token.
    """
    import json

    from clipfg.cli.console import stdout
    from clipfg.cli.output import chosen_format, print_rows
    from clipfg.workflows.icl.demos import run_demos

    form = chosen_format(options.format)
    run = perform(lambda session: run_demos(session, photo), options)
    if form in ("json", "jsonl"):
        indent = None if form == "jsonl" else 2
        typer.echo(json.dumps(run.to_json(), ensure_ascii=False, indent=indent))
    elif form == "table":
        if run.demonstrations:
            print_rows(run.rows(), form, title=f"Shown before {run.photo}, in this order")
            stdout().print(f"Vote of these labels: {run.vote}", markup=False)
        if run.answers is not None:
            best = run.answers[:SHOWN]
            rows = [{"answer": a["name"], "log p per token": a["log_probability"]} for a in best]
            print_rows(rows, form, title="The model's answers")
    else:
        print_rows(run.rows(), form)
    return run.exit_code
