"""`clipfg models`: a choice of encoders, and fetching one ahead of time."""

from __future__ import annotations

from typing import Annotated

import typer

from clipfg.cli import options

app = typer.Typer(help="Encoders to choose from.", no_args_is_help=True)


@app.command("list")
def list_models(format: options.Format = None) -> None:
    """A curated dozen: millions of parameters, pixels, licence, published zero-shot accuracy.

    Any other name of open_clip's (ARCH/TAG) or of the hub (hf:REPO) works too, and so does a
    folder.
    """
    from clipfg.cli.console import stderr
    from clipfg.cli.output import chosen_format, print_rows
    from clipfg.workflows.catalogue.models import model_rows

    rows = model_rows()
    if chosen_format(format) == "table":
        default = next(row["name"] for row in rows if row["default"])
        hidden = {"default", "note"}
        rows = [{k: v for k, v in row.items() if k not in hidden} for row in rows]
        print_rows(rows, format)
        stderr().print(f"Default for real images: {default}. Why: docs/models.md")
    else:
        print_rows(rows, format)


@app.command("pull")
def pull(name: Annotated[str, typer.Argument(metavar="NAME", help="An encoder's name.")]) -> None:
    """Download an encoder's weights now, to work offline later."""
    from clipfg.encoders.loading import pull

    pull(name)
