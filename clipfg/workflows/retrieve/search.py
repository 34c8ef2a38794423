"""Hits that a person wants to see: no near-duplicates, and no class in excess."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clipfg.store import Hits, KeyStore
from clipfg.workflows.retrieve.queries import Query

Ranked: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float32]]
"""The rows of one query's hits in the store, best first, and their cosines."""

DUPLICATE = 0.98
"""Cosine from which two images count as one.

Re-saved copies of bird photos lie above it, different photos below (lit-birds: 4,499 of 4,499 have
no neighbour there; CLIP ViT-B/32 on aircraft: 99.7 %). Crops and mirrored copies lie below it too:
where they lie depends on the encoder, so a lower limit is for whoever knows theirs.
"""
DEEPER = 4
"""How many times more candidates are looked at when too few pass."""


@dataclass(frozen=True)
class QueryHits:
    """The hits of one query, best first.

    `rows` have `query, rank, score, label, split, id, path`, and `box` where items are parts of
    images; the score is the cosine with the query, or with what it was composed to.
    """

    query: Query
    rows: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, query: Query, ranked: Ranked, store: KeyStore) -> "QueryHits":
        """The hits with what the store knows of them."""
        positions, scores = ranked
        names = dict(enumerate(store.classes.names if store.classes else ()))
        boxed = ["box"] if "box" in store.items.column_names else []
        items = store.items.select(["id", "uri", "split", "label", *boxed]).take(positions)
        rows = tuple(
            {
                "query": query.name,
                "rank": rank,
                "score": score,
                "label": names.get(item["label"]),
                "split": item["split"],
                "id": item["id"],
                "path": item["uri"],
                **{name: item[name] for name in boxed},
            }
            for rank, (item, score) in enumerate(
                zip(items.to_pylist(), scores.tolist(), strict=True), start=1
            )
        )
        return cls(query, rows)


def search(
    store: KeyStore,
    vectors: NDArray[np.float32],
    k: int,
    *,
    where: NDArray[np.bool_] | None = None,
    per_class: int | None = None,
    duplicate: float | None = None,
    photos: Sequence[NDArray[np.float32]] | None = None,
    looks: NDArray[np.float32] | None = None,
) -> list[Ranked]:
    """The `k` best hits of each query `[q, d]` among the items of `where` `[n]`, or all.

    At most `per_class` hits have the same label. Hits whose cosine with a better one, or with one
    of the query's `photos`, is at least `duplicate` are left out; `looks` `[n, d]` are the features
    that those cosines are of, where they are not the keys. Of the regions of one image only the
    best is a hit.
    """
    parents = _parents(store)
    if duplicate is None and per_class is None and parents is None:
        return _filled(store.search(vectors, k, where))
    import torch

    from clipfg.functional.picking import pick

    most = int(where.sum()) if where is not None else len(store)
    found: dict[int, Ranked] = {}
    pending, depth = list(range(len(vectors))), DEEPER * k
    while pending:
        hits = _filled(store.search(vectors[pending], min(depth, max(most, 1)), where))
        for query, (positions, scores) in zip(pending, hits, strict=True):
            if parents is not None:
                first = np.sort(np.unique(parents[positions], return_index=True)[1])
                positions, scores = positions[first], scores[first]
            kept = pick(
                torch.from_numpy((store.keys if looks is None else looks)[positions]),
                torch.from_numpy(store.labels[positions]),
                k,
                per_class=per_class,
                duplicate=duplicate,
                above=torch.from_numpy(photos[query]) if photos is not None else None,
            ).numpy()
            found[query] = positions[kept], scores[kept]
        pending = [q for q in pending if len(found[q][0]) < k] if depth < most else []
        depth *= DEEPER
    return [found[query] for query in range(len(vectors))]


def kind_of(items: pa.Table) -> str:
    """What the items of a store or a manifest are: "images", or "regions" of them."""
    return "regions" if "parent" in items.column_names else "images"


def _parents(store: KeyStore) -> NDArray[np.int64] | None:
    """A number for the image that each item is a region of; None for a store of whole images."""
    if "parent" not in store.items.column_names:
        return None
    column = store.items["parent"].combine_chunks()
    if column.null_count:
        return None
    return column.dictionary_encode().indices.to_numpy().astype(np.int64)


def _filled(hits: Hits) -> list[Ranked]:
    """Each query's hits, without the places that stayed empty."""
    return [
        (positions[positions >= 0], scores[positions >= 0])
        for positions, scores in zip(hits.positions, hits.scores, strict=True)
    ]
