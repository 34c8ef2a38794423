"""`clipfg coreset`: a few keys of each class in place of many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clipfg.cli import options

if TYPE_CHECKING:
    from clipfg.settings import Settings

CORESET = "Coreset"


def coreset(
    dataset: options.Dataset = None,
    store: options.Store = None,
    data_root: options.DataRoot = None,
    split: options.Split = None,
    classes: options.Classes = None,
    limit: options.Limit = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            metavar="NAMES",
            help="`clipfg coresets list` (default: discriminant); `keco-offline:most` names a"
            " target. Several are compared.",
            rich_help_panel=CORESET,
        ),
    ] = None,
    per_class: Annotated[
        str | None,
        typer.Option(
            "--per-class",
            metavar="LIST",
            help="Keys of each class (default: 5). Several are compared.",
            rich_help_panel=CORESET,
        ),
    ] = None,
    total: Annotated[
        int | None,
        typer.Option(
            "--total", help="Keys in all, shared out evenly instead.", rich_help_panel=CORESET
        ),
    ] = None,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream",
            help="Look at each image once, as it is embedded (keco-online).",
            rich_help_panel=CORESET,
        ),
    ] = False,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="Measure strategies on the test split in place of writing a store.",
            rich_help_panel=CORESET,
        ),
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", help="Draws of what is compared.", rich_help_panel=CORESET),
    ] = None,
    model: options.Model = None,
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
        typer.Option(
            "--html",
            help="Also write report.html of a comparison.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Condense labelled images to a few keys of each class: a small key store.

    The train split of --dataset or --store is condensed to the store --output, whose items are
    real images. With --compare, or several strategies or budgets, each is measured on the test
    split instead: a table, curve.png and results.json in a run folder, beside class means and the
    full support.
    """
    given = dict(locals())
    html, stream, compare = (given.pop(name) for name in ("html", "stream", "compare"))
    settings = options.resolve("coreset", given)
    several = "," in (settings.strategy or "") or "," in (settings.per_class or "")
    return _compare(settings, html, stream) if compare or several else _condense(settings, stream)


def _condense(settings: Settings, stream: bool) -> int:
    from clipfg.cli.console import progress_bar, stderr
    from clipfg.cli.output import chosen_format, print_rows
    from clipfg.workflows.coreset.run import run_coreset

    form = chosen_format(settings.format)
    with progress_bar("Embedding") as progress:
        run = run_coreset(settings, stream=stream, progress=progress)
    row = {
        "store": str(run.path),
        "strategy": run.strategy,
        "keys": run.keys,
        "classes": run.classes,
        "items": run.items,
        "rows_held": run.peak,
        "skipped": run.skipped,
    }
    print_rows([row], form)
    stderr().print(f"Key store: {run.path}", soft_wrap=True)
    return run.exit_code


def _compare(settings: Settings, html: bool, stream: bool) -> int:
    from clipfg.cli.console import progress_bar, stderr
    from clipfg.cli.output import chosen_format, print_budgets
    from clipfg.errors import UsageError
    from clipfg.workflows.coreset.compare import run_comparison

    if stream:
        raise UsageError("Expected one strategy and one budget with --stream, got a comparison.")
    form = chosen_format(settings.format)
    with progress_bar("Embedding") as progress:
        run = run_comparison(settings, html=html, progress=progress)
    print_budgets(run.curve, form)
    stderr().print(f"Run folder: {run.folder}", soft_wrap=True)
    return run.exit_code
