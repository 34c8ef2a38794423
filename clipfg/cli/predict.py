"""`clipfg predict`: a row per photo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipfg.cli import options

SHOWN = 40
"""Rows that a table shows; the run folder has them all."""


def predict(
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTOS", help="Images, or folders of them.")
    ],
    classes: options.Classes = None,
    head: Annotated[
        Path | None,
        typer.Option("--head", metavar="FILE", help="A saved head.", rich_help_panel=options.DATA),
    ] = None,
    within: options.Within = None,
    limit: options.Limit = None,
    model: options.Model = None,
    prompts: options.Prompts = None,
    ensemble: options.Ensemble = None,
    target_error: options.TargetError = None,
    prediction_set: options.PredictionSet = None,
    each_class: options.EachClass = None,
    unknown: options.Unknown = None,
    roll_up: options.RollUp = None,
    device: options.Device = None,
    precision: options.Precision = None,
    batch_size: options.BatchSize = None,
    workers: options.Workers = None,
    resume: options.Resume = None,
    offline: options.Offline = None,
    strict: options.Strict = None,
    cache_dir: options.CacheDir = None,
    config: options.Config = None,
    output: options.Output = None,
    format: options.Format = None,
    top_k: options.TopK = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Name what is on photos that have no labels: the likeliest classes for each.

    The classes come from --classes (names are enough), or from a head saved earlier. A head that
    `clipfg fewshot` saved knows how sure it may be: it can abstain, name several classes that
    hold the true one as often as you ask, and tell images of no class.
    """
    given = dict(locals())
    paths = given.pop("photos")
    settings = options.resolve("predict", given)

    from clipfg.cli.console import progress_bar, stderr
    from clipfg.cli.output import print_predictions
    from clipfg.workflows.predict import run_predict

    with progress_bar("Embedding") as progress:
        run = run_predict(paths, settings, progress=progress)
    print_predictions(run.predictions, settings.format, shown=SHOWN)
    stderr().print(f"Run folder: {run.folder}", soft_wrap=True)
    return run.exit_code
