"""`clipfg embed`: the features themselves, in a file."""

from __future__ import annotations

from typing import Annotated

import typer

from clipfg.cli import options


def embed(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A data name, a folder, a manifest or an image.")
    ],
    output: options.Output = None,
    data_root: options.DataRoot = None,
    split: options.Split = None,
    classes: options.Classes = None,
    limit: options.Limit = None,
    model: options.Model = None,
    device: options.Device = None,
    precision: options.Precision = None,
    batch_size: options.BatchSize = None,
    workers: options.Workers = None,
    resume: options.Resume = None,
    offline: options.Offline = None,
    strict: options.Strict = None,
    cache_dir: options.CacheDir = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Write unit-norm image features with ids and labels: .parquet, .npz or .safetensors.

    Read them back anywhere a data name is asked for as features:FILE.
    """
    given = dict(locals())
    given["dataset"] = given.pop("data")
    settings = options.resolve("embed", given)

    from clipfg.cli.console import progress_bar, stderr
    from clipfg.workflows.embed import run_embed

    with progress_bar("Embedding") as progress:
        run = run_embed(settings, progress=progress)
    stderr().print(f"Wrote {run.rows:,} features of width {run.dim} to {run.path}", soft_wrap=True)
    return run.exit_code
