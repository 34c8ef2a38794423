"""`clipfg datasets`: what can be read by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipfg.cli import options

app = typer.Typer(help="Data sets by name.", no_args_is_help=True)


@app.command("list")
def list_datasets(data_root: options.DataRoot = None, format: options.Format = None) -> None:
    """The registry: classes, counts, licence, and what is on disk."""
    from clipfg.cli.output import print_rows
    from clipfg.workflows.catalogue.datasets import dataset_rows

    settings = options.resolve("datasets", {"data_root": data_root})
    print_rows(
        dataset_rows(settings),
        format,
        title="Data sets (any folder, table or tar works too, and hf:REPO)",
    )


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A data name or a path.")],
    data_root: options.DataRoot = None,
    format: options.Format = None,
) -> None:
    """One data set: what it is, what is on disk, its classes."""
    from clipfg.cli.output import print_rows
    from clipfg.workflows.catalogue.datasets import dataset_facts

    settings = options.resolve("datasets", {"data_root": data_root, "dataset": name})
    print_rows(dataset_facts(settings), format)


@app.command("pull")
def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data name of the registry.")],
    data_root: options.DataRoot = None,
    offline: options.Offline = None,
) -> None:
    """Download a data set from its publisher, check it and unpack it.

    It goes to --data-root (data/ where none is given). Interrupted, it goes on from there at
    the next call. What cannot be downloaded plainly ends with how to get it.
    """
    from clipfg.cli.console import progress_bar
    from clipfg.workflows.catalogue.datasets import pull_dataset

    settings = options.resolve("datasets", {"data_root": data_root, "offline": offline})
    with progress_bar("Downloading (MiB)") as report:

        def show(done: int, total: int) -> None:
            assert report is not None
            report(done >> 20, total >> 20)

        path = pull_dataset(name, settings, show if report else None)
    typer.echo(path)


@app.command("draw")
def draw(
    folder: Annotated[Path, typer.Argument(help="Where the images go.")],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many.")] = 8,
    size: Annotated[int, typer.Option(min=16, max=2048, help="Side in pixels.")] = 256,
    seed: options.Seed = None,
) -> None:
    """Draw images of the built-in synthflora, and the list of its class names."""
    from clipfg.workflows.catalogue.datasets import draw_synthflora

    settings = options.resolve("datasets", {"seed": seed})
    for path in draw_synthflora(folder, count, size, settings.seed):
        typer.echo(path)
