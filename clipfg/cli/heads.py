"""`clipfg heads`: the classifiers by name."""

from __future__ import annotations

import typer

from clipfg.cli import options

app = typer.Typer(help="Classifiers on features.", no_args_is_help=True)


@app.command("list")
def list_heads(format: options.Format = None) -> None:
    """Every head by name, with one line on what it does."""
    from clipfg.cli.output import print_rows
    from clipfg.heads import HEADS

    rows = [{"head": n, "what": (HEADS.get(n).__doc__ or "").split("\n")[0]} for n in HEADS]
    print_rows(rows, format)
