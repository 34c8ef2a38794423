"""Hashes of what images hold, so that one is known again under another name."""

import hashlib
import time
from collections.abc import Iterable

from clipfg.data.sources import read, signature
from clipfg.embedding.cache import EmbeddingCache, is_settled
from clipfg.errors import ItemError


def contents_of(uris: Iterable[str], cache: EmbeddingCache) -> dict[str, bytes]:
    """The content hash of each image, as the cache keys its embedding; 16 bytes.

    Files that the cache has seen with the same size and time of change are not read. What cannot
    be read has no entry.
    """
    signatures, settled = {}, set()
    for uri in dict.fromkeys(uris):
        seen_ns = time.time_ns()
        try:
            signatures[uri] = signature(uri)
        except ItemError:
            continue
        if is_settled(signatures[uri], seen_ns):
            settled.add(uri)
    contents = cache.contents(signatures)
    new = []
    for uri in [uri for uri in signatures if uri not in contents]:
        try:
            contents[uri] = hashlib.blake2b(read(uri), digest_size=16).digest()
        except ItemError:
            continue
        if uri in settled:
            new.append((uri, signatures[uri], contents[uri]))
    cache.remember(new)
    return contents
