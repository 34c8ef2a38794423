"""`clipfg demos`: demonstrations for a photo, as a ready prompt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipfg.cli import options

if TYPE_CHECKING:
    from clipfg.workflows.icl.demos import Demos

SHOWN = 5
"""Answers that a table shows."""


def demos(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="An image.")],
    store: options.Store = None,
    shots: options.ShownShots = None,
    strategy: options.DemoStrategy = None,
    order: options.Order = None,
    candidates: options.Candidates = None,
    choices: options.Choices = None,
    instruction: options.Instruction = None,
    question: options.Question = None,
    lvlm: options.Lvlm = None,
    chat: Annotated[
        str,
        typer.Option(
            "--chat",
            help="Messages as openai or transformers takes them.",
            rich_help_panel=options.DEMONSTRATIONS,
        ),
    ] = "openai",
    data_urls: Annotated[
        bool,
        typer.Option(
            "--data-urls",
            help="Put small copies of the images into the prompt, not their paths.",
            rich_help_panel=options.DEMONSTRATIONS,
        ),
    ] = False,
    model: options.Model = None,
    prompts: options.Prompts = None,
    ensemble: options.Ensemble = None,
    device: options.Device = None,
    precision: options.Precision = None,
    seed: options.Seed = None,
    resume: options.Resume = None,
    offline: options.Offline = None,
    cache_dir: options.CacheDir = None,
    config: options.Config = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Also write the prompt to a JSON file.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    format: options.Format = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Choose labelled images of a store that help a language model name a photo.

    Prints them as a table on a terminal, and elsewhere the ready prompt as JSON. With --lvlm the
    model answers: every candidate is scored by its mean log-probability a token.
    """
    given = dict(locals())
    settings = options.resolve(
        "demos", {k: v for k, v in given.items() if k not in ("output", "photo")}
    )

    import json

    from clipfg.cli.output import chosen_format, print_rows
    from clipfg.workflows.icl.demos import run_demos

    form = chosen_format(settings.format)
    made = run_demos(photo, settings, chat=chat, data_urls=data_urls)
    text = json.dumps(made.to_json(), ensure_ascii=False, indent=None if form == "jsonl" else 2)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")
    if form in ("json", "jsonl"):
        typer.echo(text)
    elif form == "table":
        _print(made)
    else:
        print_rows(made.demonstrations, form)
    return 0


def _print(made: Demos) -> None:
    from clipfg.cli.console import stdout
    from clipfg.cli.output import print_rows

    if made.demonstrations:
        print_rows(made.demonstrations, "table", title=f"Shown with {made.photo}, in this order")
        stdout().print(f"Most of these labels say: {made.vote}", markup=False)
    if made.answers is not None:
        rows = [{"answer": a["name"], "log p a token": a["log_probability"]} for a in made.answers]
        print_rows(rows[:SHOWN], "table", title="What the language model makes of it")
