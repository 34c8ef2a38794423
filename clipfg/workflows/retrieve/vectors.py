"""One vector for each query: its texts and photos embedded and composed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from clipfg.embedding.text_paths import Use
from clipfg.errors import DataError
from clipfg.functional.composing import compose
from clipfg.options import RetrieveOptions
from clipfg.prompting import load_prompts
from clipfg.prompting.ensembling import ensemble_mean
from clipfg.prompting.queries import query_texts
from clipfg.store import KeyStore
from clipfg.types import Manifest
from clipfg.workflows.metric import Metric
from clipfg.workflows.retrieve.queries import Query
from clipfg.workflows.session import Session

GENERAL = "general"
"""Prompts for a store that names no prompt set, as stores of earlier versions do."""
SAMPLE = 16_384
"""Keys from which the spread of a query's cosines is taken, at most."""

Embedded = dict[str, Float[Tensor, " d"]]


@dataclass(frozen=True)
class QueryVectors:
    """Queries that could be embedded, a unit-norm vector `[q, d]` for each, and its photos'.

    Vectors are as the metric compares them, photos as the encoder makes them.
    """

    queries: list[Query]
    vectors: NDArray[np.float32]
    photos: list[Float[Tensor, "p d"]]


def embed_queries(
    session: Session[RetrieveOptions], queries: Sequence[Query], metric: Metric
) -> QueryVectors:
    """Embed queries; an unreadable photo makes one a failure. Raises `DataError` if all are."""
    assert session.encoder is not None
    options, store = session.options, metric.store
    texts = _embed_phrases(
        session, [*(text for query in queries for text in query.texts), *options.negated], store
    )
    photos = _embed_photos(session, [uri for query in queries for uri in query.photos])
    usable = [query for query in queries if all(uri in photos for uri in query.photos)]
    if not usable:
        raise DataError(f"No photo of a query can be used. {session.failures[-1].reason}")
    none = torch.empty((0, session.encoder.dim))

    def rows(embedded: Embedded, names: Sequence[str]) -> Float[Tensor, "n d"]:
        return torch.stack([embedded[name] for name in names]) if names else none

    def turned(phrases: Sequence[str]) -> Float[Tensor, "t d"]:
        return metric.texts(rows(texts, phrases), of_classes) if phrases else none

    @cache
    def of_classes() -> Float[Tensor, "c d"]:
        assert store.classes is not None
        names = store.classes.names
        return rows(_embed_phrases(session, names, store), names)

    keys = torch.from_numpy(np.array(store.keys[:: max(1, -(-len(store) // SAMPLE))]))
    negated = turned(options.negated)
    seen = [rows(photos, query.photos) for query in usable]
    vectors = [
        compose(turned(query.texts), metric.photos(own), negated, keys, options.weight)
        for query, own in zip(usable, seen, strict=True)
    ]
    return QueryVectors(usable, torch.stack(vectors).numpy(), seen)


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
    owners = torch.tensor([owner for owner, texts in enumerate(rendered) for _ in texts])
    sentences = [text for texts in rendered for text in texts]
    use: Use = "regions" if "parent" in store.items.column_names else "images"
    features = session.embed_texts(sentences, "(none)" if session.options.raw else named, use)
    return dict(zip(phrases, ensemble_mean(features, owners), strict=True))


def _embed_photos(session: Session[RetrieveOptions], uris: Sequence[str]) -> Embedded:
    """A unit-norm feature for each photo that can be read."""
    if not uris:
        return {}
    manifest = Manifest.build("queries", {"uri": list(dict.fromkeys(uris))})
    features = session.features(manifest)
    return dict(zip(features.ids, torch.from_numpy(features.pooled), strict=True))
