"""`clipfg coresets`: the ways to condense labelled items, by name."""

from __future__ import annotations

import typer

from clipfg.cli import options

app = typer.Typer(help="Ways to condense labelled items to a few keys.", no_args_is_help=True)


@app.command("list")
def list_coresets(format: options.Format = None) -> None:
    """Every strategy by name, with one line on what it does."""
    from clipfg.cli.output import print_rows
    from clipfg.coresets import CORESETS

    rows = [
        {
            "strategy": name,
            "targets": list(CORESETS.get(name).targets),
            "what": (CORESETS.get(name).__doc__ or "").split("\n")[0],
        }
        for name in CORESETS
    ]
    print_rows(rows, format)
