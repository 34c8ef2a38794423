"""`clipfg retrieve`: the images nearest to texts and photos."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipfg.cli import options

if TYPE_CHECKING:
    from clipfg.workflows.retrieve.run import RetrieveRun

QUERY = "Query"


def retrieve(
    query: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY...", help='Texts ("red-winged blackbird") and photos, as one query.'
        ),
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option(
            "--queries",
            metavar="FILE",
            help="Many queries, one a line: a text or a photo's path.",
            rich_help_panel=QUERY,
        ),
    ] = None,
    negated: Annotated[
        list[str] | None,
        typer.Option(
            "--not",
            metavar="TEXT",
            help="What must not be on a hit; as often as needed.",
            rich_help_panel=QUERY,
        ),
    ] = None,
    weight: Annotated[
        float,
        typer.Option(
            "--weight",
            metavar="SHARE",
            help="Of texts against photos, 0 to 1.",
            rich_help_panel=QUERY,
        ),
    ] = 0.5,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw", help="Use texts as they are, without prompts.", rich_help_panel=QUERY
        ),
    ] = False,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="FIELD=VALUE",
            help="Only items with this label, split or id (GLOB); != for all others.",
            rich_help_panel=QUERY,
        ),
    ] = None,
    dedup: Annotated[
        bool,
        typer.Option(
            "--dedup", help="Leave out near-duplicates of hits above.", rich_help_panel=QUERY
        ),
    ] = False,
    duplicate: Annotated[
        float | None,
        typer.Option(
            "--duplicate",
            metavar="COSINE",
            help="What --dedup takes for a duplicate (0.98).",
            rich_help_panel=QUERY,
        ),
    ] = None,
    most_per_class: Annotated[
        int | None,
        typer.Option("--per-class", help="At most so many of each label.", rich_help_panel=QUERY),
    ] = None,
    store: options.Store = None,
    dataset: options.Dataset = None,
    data_root: options.DataRoot = None,
    split: options.Split = None,
    classes: options.Classes = None,
    limit: options.Limit = None,
    model: options.Model = None,
    prompts: options.Prompts = None,
    device: options.Device = None,
    precision: options.Precision = None,
    batch_size: options.BatchSize = None,
    workers: options.Workers = None,
    resume: options.Resume = None,
    offline: options.Offline = None,
    strict: options.Strict = None,
    cache_dir: options.CacheDir = None,
    config: options.Config = None,
    format: options.Format = None,
    top_k: options.TopK = None,
    html: Annotated[
        str | None,
        typer.Option(
            "--html",
            metavar="FILE|auto",
            help="Also write a page of thumbnails; auto names it.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Find the images nearest to texts and photos, in a store or straight in a data set.

    Texts and photos given together are one query. Names go through the prompts of --prompts,
    sentences are used as they are. Without --store, --dataset is embedded, or read from the cache.
    """
    settings = options.resolve("retrieve", dict(locals()))

    from clipfg.cli.console import progress_bar, stderr
    from clipfg.workflows.retrieve.page import page_path, write_page
    from clipfg.workflows.retrieve.run import run_retrieve, searched_in
    from clipfg.workflows.retrieve.search import DUPLICATE, SearchOptions

    settings = searched_in(settings, store, dataset)
    wish = SearchOptions(
        weight=weight,
        negated=tuple(negated or ()),
        raw=raw,
        where=tuple(where or ()),
        duplicate=duplicate or (DUPLICATE if dedup else None),
        per_class=most_per_class,
    )
    with progress_bar("Embedding") as progress:
        run = run_retrieve(query or [], settings, wish, queries=queries, progress=progress)
    _print(run, settings.format)
    if html is not None:
        path = page_path(html, run)
        missing = write_page(run, wish, path)
        gaps = f" ({missing:,} images could not be read)" if missing else ""
        stderr().print(f"Page: {path}{gaps}", soft_wrap=True)
    return run.exit_code


def _print(run: RetrieveRun, format: str | None) -> None:
    from clipfg.cli.output import chosen_format, print_rows

    form = chosen_format(format)
    if form != "table":
        print_rows(run.rows, form)
        return
    for found in run.found:
        rows = [
            {"rank": row["rank"], "score": f"{row['score']:.3f}", "label": row["label"]}
            | {"split": row["split"], "path": _shorter(row["path"])}
            for row in found.rows
        ]
        empty = {key for key in ("label", "split") if all(row[key] is None for row in rows)}
        rows = [{key: row[key] for key in row if key not in empty} for row in rows]
        print_rows(rows, form, title=found.query.name)


def _shorter(uri: str) -> str:
    """A path as seen from the working folder, where that is shorter."""
    return min(uri, os.path.relpath(uri), key=len) if Path(uri).is_absolute() else uri
