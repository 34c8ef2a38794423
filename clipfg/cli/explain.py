"""`clipfg explain`: where classes are seen in photos, and which phrases speak for them."""

from pathlib import Path
from typing import Annotated

import typer

from clipfg.cli.command import command, perform
from clipfg.options import ExplainOptions


@command(ExplainOptions)
def explain(
    options: ExplainOptions,
    photos: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PHOTOS", help="Images, or folders of them.", show_default=False),
    ] = None,
) -> int:
    """Show why: where two classes are seen in a photo, and which phrases speak for each.

    The classes are --for and --vs, or the two likeliest. The run folder gets a picture for each map
    and a page (explain.html). Every map comes with its faithfulness: whether the score falls sooner
    when what it marks is blurred than in random order.

    With --method prototypes and a --head, the prototypes that speak for the answer, where they
    fire, and the training patches that they stand for.
    """
    from clipfg.cli.output import chosen_format, finish, print_rows
    from clipfg.workflows.explain.run import run_explain

    run = perform(lambda session: run_explain(session, photos or ()), options)
    form = chosen_format(options.format)
    shown = ("photo", "kind", "text", "score", "gain", "verdict")
    if options.method == "prototypes":
        shown = ("photo", "answer", "prototype", "presence", "weight", "evidence")
    rows = run.rows()
    if form == "table":
        rows = [{key: row[key] for key in shown} for row in rows]
    print_rows(rows, form)
    return finish(run)
