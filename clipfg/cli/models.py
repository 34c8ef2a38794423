"""`clipfg models`: a choice of encoders, and fetching one ahead of time."""

from __future__ import annotations

from typing import Annotated

import typer

from clipfg.cli import options

app = typer.Typer(help="Encoders to choose from.", no_args_is_help=True)


@app.command("list")
def list_models(format: options.Format = None) -> None:
    """A curated dozen: size, licence, published zero-shot accuracy, and what is on disk."""
    from clipfg.cli.output import print_rows
    from clipfg.workflows.models import model_rows

    print_rows(model_rows(), format, title="Encoders (any open_clip or Hugging Face name works)")


@app.command("pull")
def pull(name: Annotated[str, typer.Argument(metavar="NAME", help="An encoder's name.")]) -> None:
    """Download an encoder's weights now, to work offline later."""
    from clipfg.encoders.loading import pull

    pull(name)
