"""Which images a store holds already: one that is shown as its own demonstration is no test."""

import numpy as np
from numpy.typing import NDArray

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.content_hash import contents_of
from clipfg.store import KeyStore
from clipfg.workflows.pool import FeaturePool


def in_store(pool: FeaturePool, store: KeyStore, cache: EmbeddingCache) -> NDArray[np.bool_]:
    """Which images `[n]` the store holds.

    Images are the same by their content; by their id where the content of one cannot be read.
    Folders number their images alike, so equal ids alone mean nothing.
    """
    stored, own = contents_of(store.uris, cache), contents_of(pool.uris, cache)
    contents, ids = set(stored.values()), set(store.ids)
    unread = {id for id, uri in zip(store.ids, store.uris, strict=True) if uri not in stored}

    def holds(identity: str, uri: str) -> bool:
        if uri not in own:
            return identity in ids
        return own[uri] in contents or identity in unread

    return np.array([holds(*item) for item in zip(pool.ids, pool.uris, strict=True)])
