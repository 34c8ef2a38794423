"""Retrieve: the images of a store or a data set that are nearest to texts and photos."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders import Encoder, load_encoder
from clipfg.errors import DataError, UsageError
from clipfg.functional.composing import compose
from clipfg.prompting import load_prompts
from clipfg.settings import Settings
from clipfg.store import KeyStore, parse_where
from clipfg.types import UNLABELLED, Progress
from clipfg.workflows.failures import Failures
from clipfg.workflows.index.run import store_in_memory
from clipfg.workflows.retrieve.queries import (
    Query,
    QueryWording,
    embed_photos,
    embed_phrases,
    read_queries,
)
from clipfg.workflows.retrieve.search import SearchOptions, search
from clipfg.workflows.session import open_cache

K = 10
"""Hits of a query unless --top-k says otherwise."""
GENERAL = "general"
"""Prompts for a store that knows of none that suit it, as stores of earlier versions do."""
SAMPLE = 16_384
"""Keys from which the spread of a query's cosines is taken, at most."""


@dataclass(frozen=True)
class QueryHits:
    """The hits of one query, best first.

    `rows` have `query, rank, score, label, split, id, path`; the score is the cosine with the
    query, or with what it was composed to.
    """

    query: Query
    rows: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class RetrieveRun:
    """A finished search, and how many images or queries could not be used."""

    found: tuple[QueryHits, ...]
    store: KeyStore
    skipped: int

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of all queries."""
        return [row for found in self.found for row in found.rows]

    @property
    def exit_code(self) -> int:
        """0 when everything was used, 3 when some was skipped."""
        return 3 if self.skipped else 0


def retrieve(
    *query: str | Path,
    store: str | Path | None = None,
    dataset: str | Path | None = None,
    weight: float = 0.5,
    negated: Iterable[str] = (),
    raw: bool = False,
    where: Iterable[str] = (),
    duplicate: float | None = None,
    per_class: int | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """`clipfg retrieve` from Python: texts and photos make one query; a row for each hit.

    `options` are those of the command line (`top_k`, `model`, ...). Raises `ClipfgError`s, as
    `run_retrieve` does.
    """
    wish = SearchOptions(weight, tuple(negated), raw, tuple(where), duplicate, per_class)
    data = None if dataset is None else str(dataset)
    settings = searched_in(
        Settings.resolve(command="retrieve", store=store, dataset=data, **options), store, data
    )
    return run_retrieve([str(part) for part in query], settings, wish).rows


def searched_in(settings: Settings, store: object, dataset: object) -> Settings:
    """A data set that was asked for wins over a store that is merely configured."""
    if dataset is None or store is not None:
        return settings
    return settings.model_copy(update={"store": None})


def run_retrieve(
    parts: Sequence[str],
    settings: Settings,
    wish: SearchOptions,
    *,
    queries: Path | None = None,
    progress: Progress | None = None,
) -> RetrieveRun:
    """Search `settings.store`, or `settings.dataset` with no store built, for one query or many.

    `parts` make one query together; a file of `queries` has one a line. Raises `UsageError` when
    there is nothing to look for or in, `StoreError` for a store of another encoder, and `DataError`
    when no query could be used.
    """
    wish.check()
    if queries is not None and parts:
        raise UsageError("Expected either queries on the command line or --queries FILE, got both.")
    asked = read_queries(queries) if queries is not None else [Query.of(parts)]
    if settings.prompts is not None:
        load_prompts(settings.prompts)  # a misspelt name costs no embedding
    failures = Failures()
    store = _open(settings, failures, progress)
    mask = parse_where(wish.where, store) if wish.where else None
    with open_cache(settings) as cache:
        encoder = _query_encoder(settings, store, cache)
        prompts = None if wish.raw else load_prompts(settings.prompts or store.prompts or GENERAL)
        wording = QueryWording(prompts, store.classes)
        usable, vectors, above = _vectors(
            asked, wish, wording, store, encoder, cache, settings, failures
        )
    k = settings.top_k if "top_k" in settings.model_fields_set else K
    ranked = search(store, vectors, k, mask, wish, above)
    found = [
        QueryHits(query, tuple(_rows(store, query, positions, scores)))
        for query, (positions, scores) in zip(usable, ranked, strict=True)
    ]
    return RetrieveRun(tuple(found), store, len(failures))


def _open(settings: Settings, failures: Failures, progress: Progress | None) -> KeyStore:
    """What is searched."""
    if settings.store is not None:
        store = KeyStore.load(settings.store)
        store.device = settings.device
        return store
    if settings.dataset is None:
        raise UsageError(
            "Expected --store DIR or --dataset NAME|PATH to search in, got neither; try --dataset"
            " photos/, or set `dataset` or `store` in clipfg.toml."
        )
    return store_in_memory(settings, failures, progress)


def _query_encoder(settings: Settings, store: KeyStore, cache: EmbeddingCache) -> Encoder:
    """The encoder that made the keys. Raises `StoreError` where --model names another."""
    name = settings.model or store.model
    if not name:
        raise UsageError(
            "Expected --model NAME, since what is searched does not say which encoder made it."
        )
    precision = settings.precision
    encoder = load_encoder(
        name,
        precision=store.precision or precision if precision == "auto" else precision,  # type: ignore[arg-type]
        device=settings.device,
        offline=settings.offline,
        digest=cache.digest,
    )
    store.check_encoder(encoder.fingerprint, encoder.name, encoder.precision)
    return encoder


def _vectors(
    asked: Sequence[Query],
    wish: SearchOptions,
    wording: QueryWording,
    store: KeyStore,
    encoder: Encoder,
    cache: EmbeddingCache,
    settings: Settings,
    failures: Failures,
) -> tuple[list[Query], NDArray[np.float32], list[Tensor]]:
    """The queries whose photos can be read, a vector for each `[q, d]`, and their photos'."""
    phrases = dict.fromkeys([text for query in asked for text in query.texts] + [*wish.negated])
    uris = dict.fromkeys(uri for query in asked for uri in query.photos)
    texts = embed_phrases(list(phrases), wording, encoder, cache)
    photos = embed_photos(list(uris), encoder, cache, settings, failures)
    usable = [query for query in asked if all(uri in photos for uri in query.photos)]
    if not usable:
        raise DataError(f"Expected a photo that can be read. {failures[0].reason}")
    empty = torch.empty((0, encoder.dim))

    def rows(known: dict[str, Tensor], names: Sequence[str]) -> Tensor:
        return torch.stack([known[name] for name in names]) if names else empty

    keys = torch.from_numpy(np.array(store.keys[:: max(1, -(-len(store) // SAMPLE))]))
    negated = rows(texts, wish.negated)
    above = [rows(photos, query.photos) for query in usable]
    vectors = [
        compose(rows(texts, query.texts), seen, negated, keys, wish.weight)
        for query, seen in zip(usable, above, strict=True)
    ]
    return usable, torch.stack(vectors).numpy(), above


def _rows(
    store: KeyStore, query: Query, positions: NDArray[np.int64], scores: NDArray[np.float32]
) -> Iterable[dict[str, Any]]:
    names = store.classes.names if store.classes else ()
    items = store.items.select(["id", "uri", "split", "label"]).take(positions).to_pylist()
    for rank, (item, score) in enumerate(zip(items, scores.tolist(), strict=True), start=1):
        label = UNLABELLED if item["label"] is None else item["label"]
        yield {
            "query": query.name,
            "rank": rank,
            "score": score,
            "label": names[label] if label >= 0 else None,
            "split": item["split"],
            "id": item["id"],
            "path": item["uri"],
        }
