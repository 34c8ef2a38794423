"""`clipfg lint`: what is likely wrong with data."""

from __future__ import annotations

from typing import Annotated

import typer

from clipfg.cli import options

SHOWN = 5
"""Findings of a kind that a table shows; the run folder has them all."""


def lint(
    dataset: options.Dataset = None,
    data_root: options.DataRoot = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split", help="Check one part alone (default: all).", rich_help_panel=options.DATA
        ),
    ] = None,
    classes: options.Classes = None,
    limit: options.Limit = None,
    model: options.Model = None,
    device: options.Device = None,
    precision: options.Precision = None,
    batch_size: options.BatchSize = None,
    workers: options.Workers = None,
    seed: options.Seed = None,
    resume: options.Resume = None,
    offline: options.Offline = None,
    cache_dir: options.CacheDir = None,
    config: options.Config = None,
    output: options.Output = None,
    format: options.Format = None,
    html: Annotated[
        bool,
        typer.Option(
            "--html",
            help="Also write lint.html, images side by side.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Find copies, leaks between splits, labels likely wrong, outliers and troublesome classes.

    Images that cannot be read, one image in two splits or with two labels, and two classes of
    one name are errors; near copies, doubtful labels, outliers and all else are warnings, which
    want a look. Exit code 1 when there are errors, 0 for warnings alone.
    """
    given = dict(locals())
    html = given.pop("html")
    settings = options.resolve("lint", given)

    from clipfg.cli.console import progress_bar, stderr
    from clipfg.cli.output import chosen_format, print_rows
    from clipfg.workflows.lint.findings import KINDS
    from clipfg.workflows.lint.run import run_lint

    form = chosen_format(settings.format)
    with progress_bar("Embedding") as progress:
        run = run_lint(settings, progress=progress, html=html)
    rows = run.rows()
    if form != "table":
        print_rows(rows, form)
    elif rows:
        counts = [{"found": n, "what": KINDS[kind]} for kind, n in run.counts.items()]
        print_rows(counts, form, title=f"{run.done:,} images")
        for kind, count in run.counts.items():
            worst = [row for row in rows if row["kind"] == kind][:SHOWN]
            shown = [{key: row[key] for key in ("id", "other", "what")} for row in worst]
            more = f", the worst {SHOWN} of {count:,}" if count > SHOWN else ""
            print_rows(shown, form, title=f"\n{KINDS[kind].capitalize()}{more}")
    else:
        stderr().print("Nothing to complain of.")
    stderr().print(f"Run folder: {run.folder}", soft_wrap=True)
    return run.exit_code
