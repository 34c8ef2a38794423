"""Retrieve: the images of a store or a data set that are nearest to texts and photos."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipfg.data.readers.pictures import read_images
from clipfg.errors import DataError, UsageError
from clipfg.options import RetrieveOptions
from clipfg.prompting import load_prompts
from clipfg.store import KeyStore, parse_where
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.index.items import embed_items
from clipfg.workflows.index.store import default_store, open_store_encoder
from clipfg.workflows.metric import Metric
from clipfg.workflows.retrieve.queries import Query, read_queries
from clipfg.workflows.retrieve.search import DUPLICATE, QueryHits, kind_of, search
from clipfg.workflows.retrieve.vectors import embed_queries
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class RetrieveRun(Run):
    """A finished search: the hits of every query, and the page of thumbnails, if one was wanted.

    `done` counts queries, `skipped` queries and images to search that could not be used.
    """

    found: tuple[QueryHits, ...]
    store: KeyStore
    page: Path | None

    def rows(self) -> list[dict[str, Any]]:
        """A row per hit, query after query; see `QueryHits`."""
        return [row for found in self.found for row in found.rows]


def run_retrieve(session: Session[RetrieveOptions], query: Sequence[str] = ()) -> RetrieveRun:
    """Search for the parts of one query together, or for each line of `--queries`.

    What is searched: see `open_searched`. Raises `UsageError` when there is nothing to look for or
    in, `StoreError` for a store of another encoder, `DataError` when no query could be used.
    """
    options = session.options
    session.embeds_only = True
    duplicate = _duplicate(options)
    queries = _queries(options, query)
    store = open_searched(session)
    where = parse_where(options.where, store) if options.where else None
    if not (options.model or store.model):
        raise UsageError(
            "The features being searched do not record their encoder; name it with --model."
        )
    if session.encoder is None:
        open_store_encoder(session, store)
    metric = Metric.of(options.metric, store)
    asked = embed_queries(session, queries, metric)
    ranked = search(
        metric.store,
        asked.vectors,
        options.top_k,
        where=where,
        per_class=options.per_class,
        duplicate=duplicate,
        photos=asked.photos,
        looks=store.keys,
    )
    pairs = zip(asked.queries, ranked, strict=True)
    found = tuple(QueryHits.of(one, hits, store) for one, hits in pairs)
    page = None
    if options.html is not None:
        from clipfg.workflows.retrieve.page import page_path, write_page

        page = page_path(options.html, found)
        write_page(page, found, store, options, duplicate, session.cut_texts.values())
    return RetrieveRun(None, len(found), len(session.failures), found, store, page)


def _duplicate(options: RetrieveOptions) -> float | None:
    """The cosine of near-duplicates, None where they are kept; raises `UsageError`s."""
    if options.duplicate is None:
        return DUPLICATE if options.dedup else None
    if not 0 < options.duplicate <= 1:
        raise UsageError(f"--duplicate must be above 0 and at most 1, got {options.duplicate:g}.")
    return options.duplicate


def _queries(options: RetrieveOptions, query: Sequence[str]) -> list[Query]:
    """What is looked for; a slip in it costs no embedding."""
    if options.queries is not None and query:
        raise UsageError("A query and --queries cannot be combined.")
    if not all(phrase.strip() for phrase in options.negated):
        raise UsageError("--not needs a text to exclude.")
    if options.prompts is not None:
        load_prompts(options.prompts)
    return read_queries(options.queries) if options.queries is not None else [Query.of(query)]


def open_searched(session: Session[RetrieveOptions]) -> KeyStore:
    """What is searched, as a store: `--store`, else `--dataset`, else the default store, else the
    images of the working folder. Images are embedded, or come from the cache.

    Raises `UsageError` where there is nothing to search, and other `ClipfgError`s.
    """
    options = session.options
    path = options.store or (None if options.dataset else default_store())
    if path is not None:
        store = KeyStore.load(path)
        logger.info(f"Searching {len(store):,} {kind_of(store.items)} in {path}")
    else:
        data = session.dataset() if options.dataset else session.in_regions(images_here(session))
        where = data.name if options.dataset else Path.cwd()
        logger.info(f"Searching {len(data):,} {kind_of(data.manifest.table)} in {where}")
        store = embed_items(session, data).store()
    store.index.device = options.device
    return store


def images_here(session: Session[RetrieveOptions]) -> Dataset:
    """Images below the working folder, without labels. Raises `UsageError` for none."""
    here = Path.cwd()
    try:
        found = Dataset(read_images([here]))
    except DataError:
        raise UsageError(
            f"There are no images to search in {here}; name others by --dataset PATH, or a key"
            " store by --store DIR."
        ) from None
    session.say(found)
    options = session.options
    return found.select(options.split).limited(options.limit, options.seed)
