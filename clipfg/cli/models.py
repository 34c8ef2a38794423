"""`clipfg models`: a choice of encoders, and downloading one ahead of time."""

from typing import Annotated, Any

import typer

from clipfg.cli.command import command
from clipfg.options import FormatOptions

app = typer.Typer(help="Encoders to choose from.", no_args_is_help=True)


@command(FormatOptions)
def list_models(options: FormatOptions) -> None:
    """List recommended encoders: parameters, resolution, licence, published accuracy.

    Accuracies are zero-shot; fg-ovd is that of region phrases, by difficulty (hard, medium, easy,
    trivial).

    Any other name of open_clip's (ARCH/TAG) or of the hub (hf:REPO) works too, and so does a
    folder.
    """
    from clipfg.cli.output import chosen_format, print_rows, say
    from clipfg.workflows.catalogue.models import model_rows

    rows, form = model_rows(), chosen_format(options.format)
    if form != "table":
        print_rows(rows, form)
        return
    default = next(row["name"] for row in rows if row["default"])
    print_rows([_line(row) for row in rows], form)
    say(f"Default for real images: {default}. Why: docs/models.md")


def _line(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table, where the four figures on FG-OVD share a column."""
    shown, parts = dict[str, Any](), []
    for key, value in row.items():
        if key.startswith("fgovd_"):
            parts.append(value)
            shown["fg-ovd"] = None if None in parts else " ".join(f"{part:g}" for part in parts)
        elif key not in ("default", "note"):
            shown[key] = value
    return shown


def pull(name: Annotated[str, typer.Argument(metavar="NAME", help="An encoder's name.")]) -> None:
    """Download an encoder's weights now, to work offline later."""
    from clipfg.encoders.loading import pull

    pull(name)


app.command("list")(list_models)
app.command("pull")(pull)
