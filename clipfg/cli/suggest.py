"""`clipfg suggest`: which images to label next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipfg.cli import options

LEARNING = "Learning"


def suggest(
    dataset: options.Dataset = None,
    data_root: options.DataRoot = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            help="Choose from one part alone (default: all).",
            rich_help_panel=options.DATA,
        ),
    ] = None,
    classes: options.Classes = None,
    limit: options.Limit = None,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget", "-n", help="Images to label (default: 20).", rich_help_panel=LEARNING
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            metavar="NAME",
            help="uherding (default), maxherding, typiclust, k-center, margin, entropy, badge,"
            " random; with --simulate several, commas between.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    support: Annotated[
        Path | None,
        typer.Option(
            "--labelled",
            metavar="FILE",
            help="What has a label: ids, one a line, or a CSV/JSONL of id, label, such as a filled"
            " in suggestions.csv. Labels of other images are not looked at.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    own_labels: Annotated[
        str | None,
        typer.Option(
            "--own-labels",
            metavar="FOLDER",
            help="Your own labelled images: a folder per class.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    simulate: Annotated[
        bool,
        typer.Option(
            "--simulate",
            help="Replay strategies on labelled data: accuracy against the number of labels.",
            rich_help_panel=LEARNING,
        ),
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", help="Replays of each strategy.", rich_help_panel=LEARNING),
    ] = None,
    model: options.Model = None,
    prompts: options.Prompts = None,
    ensemble: options.Ensemble = None,
    device: options.Device = None,
    precision: options.Precision = None,
    batch_size: options.BatchSize = None,
    workers: options.Workers = None,
    seed: options.Seed = None,
    resume: options.Resume = None,
    offline: options.Offline = None,
    strict: options.Strict = None,
    cache_dir: options.CacheDir = None,
    config: options.Config = None,
    output: options.Output = None,
    format: options.Format = None,
    html: Annotated[
        bool,
        typer.Option("--html", help="Also write suggestions.html.", rich_help_panel=options.OUTPUT),
    ] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Rank the images without a label by what labelling them is worth.

    Works from nothing but images, with class names, and with labels: the data's own, those of
    --labelled or of --own-labels. The run folder gets suggestions.csv; fill in its column `label`
    and hand it back by --labelled.
    """
    given = dict(locals())
    html, simulate = given.pop("html"), given.pop("simulate")
    settings = options.resolve("suggest", given)

    from clipfg.cli.console import progress_bar, stderr
    from clipfg.cli.output import chosen_format, print_result, print_rows
    from clipfg.workflows.suggest.run import run_suggest
    from clipfg.workflows.suggest.simulate import run_simulation

    form = chosen_format(settings.format)
    if simulate:
        with progress_bar("Working") as progress:
            replay = run_simulation(settings, progress=progress)
        if form == "table":
            print_result(replay.replay.grid())
        else:
            print_rows(replay.rows(), form)
        stderr().print(f"Run folder: {replay.folder}", soft_wrap=True)
        return replay.exit_code
    with progress_bar("Embedding") as progress:
        run = run_suggest(settings, progress=progress, html=html)
    rows = run.rows()
    if form == "table":
        rows = [{key: row[key] for key in row if key != "path"} for row in rows]
    print_rows(rows, form, title="What to label next")
    stderr().print(f"Run folder: {run.folder}", soft_wrap=True)
    return run.exit_code
