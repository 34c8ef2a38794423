"""`clipfg cache`: the embeddings that are kept."""

from __future__ import annotations

from typing import Annotated

import typer

from clipfg.cli import options

app = typer.Typer(help="Kept embeddings.", no_args_is_help=True)


@app.command("info")
def info(cache_dir: options.CacheDir = None, format: options.Format = None) -> None:
    """Where the cache is, and what it holds of which encoder."""
    from clipfg.cli.console import stderr
    from clipfg.cli.output import print_rows
    from clipfg.workflows.session import open_cache

    settings = options.resolve("cache", {"cache_dir": cache_dir})
    with open_cache(settings) as cache:
        rows = cache.info()
    stderr().print(f"{cache.path}: {cache.path.stat().st_size / 2**20:,.1f} MiB", soft_wrap=True)
    print_rows(rows, format)


@app.command("clear")
def clear(
    cache_dir: options.CacheDir = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="FINGERPRINT",
            help="Only this encoder's, as `cache info` shows it.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget kept embeddings: all, or one encoder's; a damaged cache is deleted."""
    from clipfg.workflows.session import clear_cache

    settings = options.resolve("cache", {"cache_dir": cache_dir})
    if not yes:
        typer.confirm(f"Forget the embeddings in {settings.cache_dir}?", abort=True, err=True)
    typer.echo(clear_cache(settings, encoder), err=True)
