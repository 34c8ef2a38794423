"""`clipfg datasets`: what can be read by name."""

from pathlib import Path
from typing import Annotated

import typer

from clipfg.cli.command import command
from clipfg.cli.output import print_rows
from clipfg.options import DatasetListOptions, DatasetPullOptions, DatasetShowOptions, DrawOptions

app = typer.Typer(help="Data sets by name.", no_args_is_help=True)


@command(DatasetListOptions)
def list_datasets(options: DatasetListOptions) -> None:
    """List the data sets: classes, images, licence, and what is on disk."""
    from clipfg.workflows.catalogue.datasets import dataset_rows

    title = "Data sets (any folder, table or tar works too, and hf:REPO)"
    print_rows(dataset_rows(options.data_root), options.format, title=title)


@command(DatasetShowOptions, data=True)
def show(options: DatasetShowOptions) -> None:
    """Show one data set: what it is, what is on disk, its classes."""
    from clipfg.workflows.catalogue.datasets import dataset_facts

    print_rows(dataset_facts(options), options.format)


@command(DatasetPullOptions)
def pull(
    options: DatasetPullOptions,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data set by name.")],
) -> None:
    """Download a data set from its publisher, verify and unpack it.

    It goes to --data-root (data/ by default). An interrupted download resumes at the next call.
    Where the publisher offers no direct download, the message says how to get it.
    """
    from clipfg.cli.console import progress_bars
    from clipfg.workflows.catalogue.datasets import pull_dataset

    with progress_bars() as progress:
        typer.echo(pull_dataset(name, options, progress("Downloading")))


@command(DrawOptions)
def draw(
    options: DrawOptions, folder: Annotated[Path, typer.Argument(help="Where the images go.")]
) -> None:
    """Draw images of the built-in synthflora, and the list of its class names."""
    from clipfg.workflows.catalogue.datasets import draw_synthflora

    for path in draw_synthflora(folder, options.count, options.size, options.seed):
        typer.echo(path)


app.command("list")(list_datasets)
app.command("show")(show)
app.command("pull")(pull)
app.command("draw")(draw)
