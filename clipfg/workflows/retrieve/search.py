"""Hits that a person wants to see: filtered, no near-duplicates, no label in excess."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.functional.picking import pick
from clipfg.store import Hits, KeyStore

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
class SearchOptions:
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


def search(
    store: KeyStore,
    vectors: NDArray[np.float32],
    k: int,
    mask: NDArray[np.bool_] | None,
    wish: SearchOptions,
    above: Sequence[Tensor],
) -> list[Ranked]:
    """Positions and scores of each query's hits; it looks deeper where too few pass."""
    if wish.duplicate is None and wish.per_class is None:
        return _trimmed(store.search(vectors, k, mask))
    most = int(mask.sum()) if mask is not None else len(store)
    found: dict[int, Ranked] = {}
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


def _trimmed(hits: Hits) -> list[Ranked]:
    """Each query's hits without the places that nothing filled."""
    return [
        (positions[positions >= 0], scores[positions >= 0])
        for positions, scores in zip(hits.positions, hits.scores, strict=True)
    ]
