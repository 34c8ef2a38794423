"""`clipfg heads`: the classifiers by name."""

from __future__ import annotations

import typer

from clipfg.cli import options

app = typer.Typer(help="Classifiers on features.", no_args_is_help=True)


@app.command("list")
def list_heads(format: options.Format = None) -> None:
    """Every head by name, and what it is good for."""
    from clipfg.cli.output import print_rows
    from clipfg.heads import HEADS

    print_rows([{"head": name, "what": HEADS.summary(name)} for name in HEADS], format)
