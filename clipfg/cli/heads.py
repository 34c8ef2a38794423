"""`clipfg heads`: the classifiers by name."""

import typer

from clipfg.cli.command import command
from clipfg.options import FormatOptions

app = typer.Typer(help="Classifiers on features.", no_args_is_help=True)


@command(FormatOptions)
def list_heads(options: FormatOptions) -> None:
    """List the heads and what each is good for."""
    from clipfg.cli.output import print_rows
    from clipfg.heads import HEADS

    rows = [{"head": name, "what": HEADS.summary(name)} for name in HEADS]
    print_rows(rows, options.format)


app.command("list")(list_heads)
