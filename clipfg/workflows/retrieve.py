"""Retrieve: the pictures of a store or a data set that are nearest to texts and photos."""

import logging
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
from clipfg.functional.picking import pick
from clipfg.prompting import load_prompts
from clipfg.settings import Settings
from clipfg.store import Hits, KeyStore, parse_where
from clipfg.types import UNLABELLED
from clipfg.workflows.classify import Progress
from clipfg.workflows.failures import Failures
from clipfg.workflows.index import store_in_memory
from clipfg.workflows.opening import open_cache
from clipfg.workflows.querying import (
    Query,
    Wording,
    embed_photos,
    embed_phrases,
    read_queries,
)

logger = logging.getLogger("clipfg")

K = 10
"""Hits of a query unless --top-k says otherwise."""
DUPLICATE = 0.98
"""Cosine from which two pictures count as one.

Re-saved copies of bird photos lie above it, different photos below (lit-birds: 4,499 of 4,499 have
no neighbour there; CLIP ViT-B/32 on aircraft: 99.7 %). Crops and mirrored copies lie below it too:
where they lie depends on the encoder, so a lower limit is for whoever knows theirs.
"""
SAMPLE = 16_384
"""Keys from which the spread of a query's cosines is taken, at most."""
DEEPER = 4
"""How many times more candidates are looked at when too few pass."""


@dataclass(frozen=True)
class Wish:
    """How queries are put together, and which hits are kept.

    Parameters
    ----------
    weight
        The share of texts against photos, where a query has both.
    negated
        Phrases that must not be true of a hit.
    raw
        Texts are used as they are, with no prompts around them.
    where
        Conditions on items, as `parse_where` takes them.
    duplicate
        Leave out hits whose cosine with an earlier one, or with a photo of the query, is so high.
    per_class
        The most hits of one label.
    """

    weight: float = 0.5
    negated: tuple[str, ...] = ()
    raw: bool = False
    where: tuple[str, ...] = ()
    duplicate: float | None = None
    per_class: int | None = None

    def check(self) -> None:
        """Raises `UsageError` for a number out of range or a blank phrase, before any work."""
        if not 0 <= self.weight <= 1:
            raise UsageError(f"Expected a --weight from 0 to 1, got {self.weight:g}.")
        if self.duplicate is not None and not 0 < self.duplicate <= 1:
            raise UsageError(f"Expected a --duplicate above 0, to 1, got {self.duplicate:g}.")
        if self.per_class is not None and self.per_class < 1:
            raise UsageError(f"Expected --per-class from 1 up, got {self.per_class}.")
        if not all(phrase.strip() for phrase in self.negated):
            raise UsageError("Expected a phrase after --not, got nothing.")


@dataclass(frozen=True)
class Found:
    """The hits of one query, best first.

    `rows` have `query, rank, score, label, split, id, path`; the score is the cosine with the
    query, or with what it was composed to.
    """

    query: Query
    rows: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class RetrieveRun:
    """A finished search, and how many pictures or queries could not be used."""

    found: tuple[Found, ...]
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
    weight: float = 0.5,
    negated: Iterable[str] = (),
    raw: bool = False,
    where: Iterable[str] = (),
    duplicate: float | None = None,
    per_class: int | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """`clipfg retrieve` from Python: texts and photos make one query; a row for each hit.

    `options` are those of the command line (`store`, `dataset`, `top_k`, ...). Raises
    `ClipfgError`s, as `run_retrieve` does.
    """
    wish = Wish(weight, tuple(negated), raw, tuple(where), duplicate, per_class)
    settings = Settings.resolve(**options)
    if options.get("dataset") and not options.get("store"):
        settings = settings.model_copy(update={"store": None})
    return run_retrieve([str(part) for part in query], settings, wish).rows


def run_retrieve(
    parts: Sequence[str],
    settings: Settings,
    wish: Wish,
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
    failures = Failures()
    store, suited = _open(settings, failures, progress)
    with open_cache(settings) as cache:
        encoder = _query_encoder(settings, store, cache)
        prompts = None if wish.raw else load_prompts(settings.prompts or suited)
        wording = Wording(prompts, store.classes)
        usable, vectors, above = _vectors(
            asked, wish, wording, store, encoder, cache, settings, failures
        )
    mask = parse_where(wish.where, store) if wish.where else None
    k = settings.top_k if "top_k" in settings.model_fields_set else K
    ranked = _search(store, vectors, k, mask, wish, above)
    found = [
        Found(query, tuple(_rows(store, query, positions, scores)))
        for query, (positions, scores) in zip(usable, ranked, strict=True)
    ]
    return RetrieveRun(tuple(found), store, len(failures))


def _open(
    settings: Settings, failures: Failures, progress: Progress | None
) -> tuple[KeyStore, str]:
    """What is searched, and the prompt set that suits it."""
    if settings.store is not None:
        store = KeyStore.load(settings.store)
        store.device = settings.device
        return store, "general"
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
    wish: Wish,
    wording: Wording,
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


def _search(
    store: KeyStore,
    vectors: NDArray[np.float32],
    k: int,
    mask: NDArray[np.bool_] | None,
    wish: Wish,
    above: Sequence[Tensor],
) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Positions and scores of each query's hits; it looks deeper where too few pass."""
    if wish.duplicate is None and wish.per_class is None:
        return _trimmed(store.search(vectors, k, mask))
    most = int(mask.sum()) if mask is not None else len(store)
    found: dict[int, tuple[NDArray[np.int64], NDArray[np.float32]]] = {}
    pending, depth = list(range(len(vectors))), DEEPER * k
    while pending:
        hits = _trimmed(store.search(vectors[pending], min(depth, max(most, 1)), mask))
        for query, (positions, scores) in zip(pending, hits, strict=True):
            kept = pick(
                torch.from_numpy(store.keys[positions]),
                torch.from_numpy(store.labels[positions]),
                k,
                per_class=wish.per_class,
                duplicate=wish.duplicate,
                above=above[query],
            ).numpy()
            found[query] = positions[kept], scores[kept]
        pending = [q for q in pending if len(found[q][0]) < k] if depth < most else []
        depth *= DEEPER
    return [found[query] for query in range(len(vectors))]


def _trimmed(hits: Hits) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Each query's hits without the places that nothing filled."""
    return [
        (positions[positions >= 0], scores[positions >= 0])
        for positions, scores in zip(hits.positions, hits.scores, strict=True)
    ]


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
