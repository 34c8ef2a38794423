"""`clipfg coresets`: the strategies that condense labelled items, by name."""

import typer

from clipfg.cli.command import command
from clipfg.options import FormatOptions

app = typer.Typer(help="Ways to condense labelled items to a few keys.", no_args_is_help=True)


@command(FormatOptions)
def list_coresets(options: FormatOptions) -> None:
    """List the coreset strategies and what each is good for."""
    from clipfg.cli.output import print_rows
    from clipfg.coresets import CORESETS

    rows = [
        {"strategy": x, "targets": list(CORESETS.get(x).targets), "what": CORESETS.summary(x)}
        for x in CORESETS
    ]
    print_rows(rows, options.format)


app.command("list")(list_coresets)
