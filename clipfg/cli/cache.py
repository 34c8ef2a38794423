"""`clipfg cache`: cached embeddings."""

import typer

from clipfg.cli.command import command
from clipfg.errors import StoreError
from clipfg.options import CacheClearOptions, CacheInfoOptions

app = typer.Typer(help="Cached embeddings.", no_args_is_help=True)


@command(CacheInfoOptions)
def info(options: CacheInfoOptions) -> None:
    """Show where the cache is, and what it holds of each encoder."""
    from clipfg.cli.output import print_rows, say
    from clipfg.embedding.cache import EmbeddingCache

    with EmbeddingCache(options.cache_dir) as cache:
        rows = cache.info()
    say(f"{cache.path}: {cache.path.stat().st_size / 2**20:,.1f} MiB")
    print_rows(rows, options.format)


@command(CacheClearOptions)
def clear(options: CacheClearOptions) -> None:
    """Delete cached embeddings: all, or one encoder's. A damaged cache is deleted whole."""
    from clipfg.embedding.cache import EmbeddingCache, remove_cache

    if not options.yes:
        question = f"Delete the embeddings in {options.cache_dir}?"
        typer.confirm(question, abort=True, err=True)
    try:
        with EmbeddingCache(options.cache_dir) as cache:
            done = f"Deleted {cache.clear(options.encoder):,} embeddings."
    except StoreError:
        done = f"The cache was damaged: deleted it, {remove_cache(options.cache_dir):,} bytes."
    typer.echo(done, err=True)


app.command("info")(info)
app.command("clear")(clear)
