"""`clipfg heads`: the classifiers by name."""

from pathlib import Path
from typing import Annotated

import typer

from clipfg.cli.command import command, perform
from clipfg.options import FormatOptions, HeadShowOptions

app = typer.Typer(help="Classifiers on features.", no_args_is_help=True)


@command(FormatOptions)
def list_heads(options: FormatOptions) -> None:
    """List the heads and what each is good for."""
    from clipfg.cli.output import print_rows
    from clipfg.heads import HEADS

    rows = [{"head": name, "what": HEADS.summary(name)} for name in HEADS]
    print_rows(rows, options.format)


@command(HeadShowOptions)
def show(
    options: HeadShowOptions,
    head: Annotated[
        Path,
        typer.Argument(metavar="HEAD", help="A patch-prototypes head of `clipfg fewshot --save`."),
    ],
) -> int:
    """Draw a head of patch prototypes: class by class what speaks for it (prototypes.html).

    With --dataset, its accuracy beside that of a linear head, and the effect of --without; where
    the data know parts, the part that each prototype shows.
    """
    from clipfg.cli.output import chosen_format, finish, print_rows
    from clipfg.workflows.prototypes.show import by_class, run_show

    run = perform(lambda session: run_show(session, head), options)
    form = chosen_format(options.format)
    print_rows(by_class(run.rows()) if form == "table" else run.rows(), form)
    return finish(run)


app.command("list")(list_heads)
app.command("show")(show)
