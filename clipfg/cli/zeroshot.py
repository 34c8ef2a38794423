"""`clipfg zeroshot`: accuracy of class names alone, with intervals."""

from __future__ import annotations

from typing import Annotated

import typer

from clipfg.cli import options


def zeroshot(
    dataset: options.Dataset = None,
    data_root: options.DataRoot = None,
    split: options.Split = None,
    classes: options.Classes = None,
    within: options.Within = None,
    limit: options.Limit = None,
    model: options.Model = None,
    prompts: options.PromptSets = None,
    ensemble: options.Ensemble = None,
    transductive: options.Transductive = None,
    roll_up: options.RollUp = None,
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
    """Classify labelled images by their class names alone, and say how well that went.

    Images are embedded once and kept; a second run takes seconds. The run folder gets a row
    per image (predictions.parquet) and the figures (results.json). Several prompt sets are
    compared on the same features, each with the first, item by item.
    """
    given = dict(locals())
    html = given.pop("html")
    settings = options.resolve("zeroshot", given)

    from clipfg.cli.console import progress_bar, stderr
    from clipfg.cli.output import chosen_format, print_report, print_result, print_rows
    from clipfg.workflows.zeroshot.run import run_zeroshot

    with progress_bar("Embedding") as progress:
        run = run_zeroshot(settings, progress=progress, html=html)
    if run.comparison is None:
        print_report(run.report, chosen_format(settings.format))
    else:
        form = chosen_format(settings.format)
        if form == "table":
            print_result(run.comparison)
        else:
            print_rows(run.comparison.rows(), form)
    stderr().print(f"Run folder: {run.folder}", soft_wrap=True)
    return run.exit_code
