"""`clipfg prompts`: the sets of templates, and what they make of a class name."""

from typing import Annotated

import typer

from clipfg.cli.command import command
from clipfg.cli.output import print_rows, say
from clipfg.options import FormatOptions, PromptLintOptions

app = typer.Typer(help="Prompt sets.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="A prompt set or its file; `a+b` joins two.")
]


@command(FormatOptions)
def list_sets(options: FormatOptions) -> None:
    """List the prompt sets: what each is for and where it comes from."""
    from clipfg.prompting import list_prompts

    rows = [{"name": name, "what": about} for name, about in list_prompts().items()]
    print_rows(rows, options.format, title="Prompt sets (a file of templates works too)")


@command(FormatOptions)
def show(
    options: FormatOptions,
    name: Name,
    class_name: Annotated[
        str | None, typer.Option("--class", help="Class name to fill in.", show_default=False)
    ] = None,
) -> None:
    """Show the texts that a set makes of a class name, by default the first that it describes."""
    from clipfg.prompting import load_prompts
    from clipfg.prompting.linting import EXAMPLE

    prompts = load_prompts(name)
    described = next((x for p in (prompts, *prompts.also) for x in p.descriptions), EXAMPLE)
    texts = prompts.render(class_name or described)
    print_rows([{"text": text} for text in texts], options.format)


@command(PromptLintOptions)
def lint(options: PromptLintOptions, name: Name) -> int:
    """Find likely mistakes in a set: articles, duplicates, unknown classes, truncated texts.

    Tokens are estimated; with --model its tokenizer counts them. Exit code 1 when there are
    errors, 0 for warnings alone.
    """
    from clipfg.workflows.catalogue.prompts import lint_prompts

    found = lint_prompts(name, options.classes, options.model)
    if found:
        print_rows([vars(finding) for finding in found], options.format)
    else:
        say("No problems found.")
    return int(any(finding.level == "error" for finding in found))


app.command("list")(list_sets)
app.command("show")(show)
app.command("lint")(lint)
