"""One vector for each query: its texts and photos embedded and composed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipfg.embedding.text_paths import Use
from clipfg.errors import DataError
from clipfg.functional.array_similarity import class_means
from clipfg.options import RetrieveOptions
from clipfg.prompting import load_prompts
from clipfg.prompting.queries import query_texts
from clipfg.store import KeyStore
from clipfg.types import Manifest, unit_norm
from clipfg.workflows.class_texts import session_texts
from clipfg.workflows.metric import Metric
from clipfg.workflows.retrieve.queries import Query
from clipfg.workflows.session import Session

if TYPE_CHECKING:
    from torch import Tensor

GENERAL = "general"
"""Prompts for a store that names no prompt set, as stores of earlier versions do."""
SAMPLE = 16_384
"""Keys from which the spread of a query's cosines is taken, at most."""

Rows = NDArray[np.float32]
Embedded = dict[str, Rows]
"""Unit-norm features `[d]` by phrase or photo."""


@dataclass(frozen=True)
class QueryVectors:
    """Queries that could be embedded, a unit-norm vector `[q, d]` for each, and its photos'.

    Vectors are as the metric compares them, photos `[p, d]` as the encoder makes them.
    """

    queries: list[Query]
    vectors: Rows
    photos: list[Rows]


def embed_queries(
    session: Session[RetrieveOptions], queries: Sequence[Query], metric: Metric
) -> QueryVectors:
    """Embed queries; an unreadable photo makes one a failure. Raises `DataError` if all are."""
    assert session.encoder is not None
    options, store, width = session.options, metric.store, session.encoder.dim
    texts = _embed_phrases(
        session, [*(text for query in queries for text in query.texts), *options.negated], store
    )
    photos = _embed_photos(session, [uri for query in queries for uri in query.photos])
    usable = [query for query in queries if all(uri in photos for uri in query.photos)]
    if not usable:
        raise DataError(f"No photo of a query can be used. {session.failures[-1].reason}")
    negated = _rows(texts, options.negated, width)

    @cache
    def of_classes() -> Rows:
        assert store.classes is not None
        names = store.classes.names
        return _rows(_embed_phrases(session, names, store), names, width)

    @cache
    def sampled() -> Rows:
        return np.array(store.keys[:: max(1, -(-len(store) // SAMPLE))])

    seen = [_rows(photos, query.photos, width) for query in usable]
    vectors = []
    for query, own in zip(usable, seen, strict=True):
        phrases = _rows(texts, query.texts, width)
        if metric.as_encoded and not options.negated and not (len(phrases) and len(own)):
            alone = np.concatenate([phrases, own]).mean(axis=0, keepdims=True)
            vectors.append(unit_norm(alone)[0])
        else:
            parts = phrases, own, negated
            vectors.append(_composed(parts, sampled(), metric, of_classes, options.weight))
    return QueryVectors(usable, np.stack(vectors), seen)


def _rows(embedded: Embedded, names: Sequence[str], width: int) -> Rows:
    return np.array([embedded[name] for name in names], np.float32).reshape(len(names), width)


def _composed(
    parts: tuple[Rows, Rows, Rows],
    keys: Rows,
    metric: Metric,
    of_classes: Callable[[], Rows],
    weight: float,
) -> Rows:
    """What `compose` makes of phrases, photos and negated phrases as the metric compares them."""
    from torch import from_numpy

    from clipfg.functional.composing import compose

    def turned(rows: Tensor) -> Tensor:
        return metric.texts(rows, lambda: from_numpy(of_classes())) if len(rows) else rows

    phrases, photos, negated = map(from_numpy, parts)
    given = turned(phrases), metric.photos(photos), turned(negated)
    return compose(*given, from_numpy(keys), weight).numpy()


def _embed_phrases(
    session: Session[RetrieveOptions], phrases: Sequence[str], store: KeyStore
) -> Embedded:
    """A unit-norm feature for each phrase: the mean of its sentences'."""
    assert session.encoder is not None
    phrases = list(dict.fromkeys(phrases))
    if not phrases:
        return {}
    rendered = [[phrase] for phrase in phrases]
    named = session.options.prompts or store.prompts or GENERAL
    if not session.options.raw:
        prompts = load_prompts(named)
        rendered = [query_texts(phrase, prompts, store.classes) for phrase in phrases]
    owners = np.array([owner for owner, texts in enumerate(rendered) for _ in texts])
    sentences = [text for texts in rendered for text in texts]
    use: Use = "regions" if "parent" in store.items.column_names else "images"
    features = session_texts(session, sentences, "(none)" if session.options.raw else named, use)
    return dict(zip(phrases, unit_norm(class_means(features, owners)), strict=True))


def _embed_photos(session: Session[RetrieveOptions], uris: Sequence[str]) -> Embedded:
    """A unit-norm feature for each photo that can be read."""
    if not uris:
        return {}
    manifest = Manifest.build("queries", {"uri": list(dict.fromkeys(uris))})
    features = session.features(manifest)
    return dict(zip(features.ids, features.pooled, strict=True))
