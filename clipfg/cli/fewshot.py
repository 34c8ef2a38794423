"""`clipfg fewshot`: heads that learn from a few labelled images, compared, and the best kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipfg.cli import options

LEARNING = "Learning"


def fewshot(
    dataset: options.Dataset = None,
    data_root: options.DataRoot = None,
    split: options.Split = None,
    classes: options.Classes = None,
    within: options.Within = None,
    limit: options.Limit = None,
    shots: Annotated[
        str | None,
        typer.Option(
            "--shots",
            metavar="LIST",
            help="Images of each class to learn from (default: 1,2,4,8,16), `all` among them.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    heads: Annotated[
        str | None,
        typer.Option(
            "--head",
            metavar="NAMES",
            help="Heads to compare (`clipfg heads list`), each with the first; `gda+transclip`"
            " refines on the unlabelled test pool.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", help="Draws of the support set.", rich_help_panel=LEARNING),
    ] = None,
    support: Annotated[
        Path | None,
        typer.Option(
            "--support",
            metavar="FILE",
            help="Learn from these images: ids, one a line, or a CSV/JSONL of id, label.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    own_labels: Annotated[
        str | None,
        typer.Option(
            "--own-labels",
            metavar="FOLDER",
            help="Learn from your own: a folder per class. Without --dataset, accuracy is estimated"
            " by folds.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="FILE",
            help="Keep the first head, of the most shots and the first draw, for `clipfg predict"
            " --head`.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    target_error: options.TargetError = None,
    prediction_set: options.PredictionSet = None,
    each_class: options.EachClass = None,
    unknown: options.Unknown = None,
    roll_up: options.RollUp = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            "--calibration",
            metavar="folds|split|SPLIT",
            help="What confidence is learnt from: folds of the support, a quarter of it held out,"
            " or a split of the data.",
            rich_help_panel=options.CONFIDENCE,
        ),
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
    top_k: options.TopK = None,
    html: Annotated[
        bool, typer.Option("--html", help="Also write report.html.", rich_help_panel=options.OUTPUT)
    ] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Learn classes from a few labelled images each, and say how well that goes.

    Supports are drawn from the train split by seeds and the heads judged on the test split, beside
    zero-shot. Every choice that a head makes is made on its support. The run folder gets the
    learning curve (curve.png, results.json) and the first head's answers (predictions.parquet).
    """
    given = dict(locals())
    html = given.pop("html")
    settings = options.resolve("fewshot", given)

    from clipfg.cli.console import progress_bar, stderr
    from clipfg.cli.output import chosen_format, print_curve
    from clipfg.workflows.fewshot.run import run_fewshot

    form = chosen_format(settings.format)
    with progress_bar("Working") as progress:
        run = run_fewshot(settings, progress=progress, html=html)
    print_curve(run.curve, form)
    stderr().print(f"Run folder: {run.folder}", soft_wrap=True)
    return run.exit_code
