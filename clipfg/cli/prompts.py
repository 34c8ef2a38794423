"""`clipfg prompts`: the sets of templates, and what they make of a class name."""

from __future__ import annotations

from typing import Annotated

import typer

from clipfg.cli import options

app = typer.Typer(help="Prompt sets.", no_args_is_help=True)


@app.command("list")
def list_sets(format: options.Format = None) -> None:
    """Every set by name: how many templates, and where they come from."""
    from clipfg.cli.output import print_rows
    from clipfg.prompting import list_prompts

    rows = [{"name": name, "what": about} for name, about in list_prompts().items()]
    print_rows(rows, format, title="Prompt sets (a file of templates works too)")


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A prompt set or its file.")],
    class_name: Annotated[
        str, typer.Option("--class", help="The class name to put in.")
    ] = "red-winged blackbird",
    format: options.Format = None,
) -> None:
    """The texts that a set makes of one class name."""
    from clipfg.cli.output import print_rows
    from clipfg.prompting import load_prompts

    texts = load_prompts(name).render(class_name)
    print_rows([{"text": text} for text in texts], format)
