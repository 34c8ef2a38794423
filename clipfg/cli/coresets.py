"""`clipfg coresets`: the strategies that condense labelled items, by name."""

from __future__ import annotations

import typer

from clipfg.cli import options

app = typer.Typer(help="Ways to condense labelled items to a few keys.", no_args_is_help=True)


@app.command("list")
def list_coresets(format: options.Format = None) -> None:
    """Every strategy by name, and what it is good for."""
    from clipfg.cli.output import print_rows
    from clipfg.coresets import CORESETS

    rows = [
        {
            "strategy": name,
            "targets": list(CORESETS.get(name).targets),
            "what": CORESETS.summary(name),
        }
        for name in CORESETS
    ]
    print_rows(rows, format)
