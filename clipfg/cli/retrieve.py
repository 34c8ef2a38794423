"""`clipfg retrieve`: the images nearest to texts and photos."""

import os
from pathlib import Path
from typing import Annotated

import typer

from clipfg.cli.command import command, perform
from clipfg.options import RetrieveOptions


@command(RetrieveOptions)
def retrieve(
    options: RetrieveOptions,
    query: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY", help='Texts ("red-winged blackbird") and photos, as one query.'
        ),
    ] = None,
) -> int:
    """Find the images nearest to texts and photos.

    Searches --store, or straight in --dataset; with neither, the default store or the images of
    the current folder. Texts and photos given together are one query. Names go through the prompts
    of --prompts, sentences are used as they are.
    """
    from clipfg.cli.output import chosen_format, print_rows, say
    from clipfg.workflows.retrieve.run import run_retrieve

    form = chosen_format(options.format)
    run = perform(lambda session: run_retrieve(session, query or []), options)
    if form == "table":
        for found in run.found:
            rows = [
                {"rank": row["rank"], "score": f"{row['score']:.3f}", "label": row["label"]}
                | {"split": row["split"], "path": _shorter(row["path"])}
                | {"box": _corners(row.get("box"))}
                for row in found.rows
            ]
            optional = ("label", "split", "box")
            empty = {key for key in optional if all(row[key] is None for row in rows)}
            rows = [{key: row[key] for key in row if key not in empty} for row in rows]
            print_rows(rows, form, title=found.query.name)
    else:
        print_rows(run.rows(), form)
    if run.page is not None:
        say(f"Page: {run.page}")
    return run.exit_code


def _shorter(uri: str) -> str:
    """A path as seen from the working folder, where that is shorter."""
    return min(uri, os.path.relpath(uri), key=len) if Path(uri).is_absolute() else uri


def _corners(box: list[float] | None) -> str | None:
    return None if box is None else " ".join(f"{value:.0f}" for value in box)
