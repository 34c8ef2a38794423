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
    name: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="A prompt set or its file; `a+b` joins two.")
    ],
    class_name: Annotated[
        str | None, typer.Option("--class", help="The class name to put in.")
    ] = None,
    format: options.Format = None,
) -> None:
    """The texts that a set makes of one class name; by default of the first that it describes."""
    from clipfg.cli.output import print_rows
    from clipfg.prompting import load_prompts
    from clipfg.prompting.linting import EXAMPLE

    prompts = load_prompts(name)
    described = next((x for p in (prompts, *prompts.also) for x in p.descriptions), EXAMPLE)
    texts = prompts.render(class_name or described)
    print_rows([{"text": text} for text in texts], format)


@app.command("lint")
def lint_file(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A prompt set or its file.")],
    classes: options.Classes = None,
    model: options.Model = None,
    format: options.Format = None,
) -> int:
    """What is likely wrong with a set: articles, duplicates, unknown classes, texts cut off.

    Tokens are estimated; with --model they are counted by its tokenizer. Exit code 1 when there
    are errors, 0 for warnings alone.
    """
    from clipfg.cli.console import stderr
    from clipfg.cli.output import print_rows
    from clipfg.workflows.catalogue.prompts import lint_prompts

    found = lint_prompts(name, classes, model)
    if found:
        print_rows([vars(finding) for finding in found], format)
    else:
        stderr().print("Nothing to complain of.")
    return int(any(finding.level == "error" for finding in found))
