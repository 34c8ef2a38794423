"""Content hashes of images, by which one is recognised under another name."""

import time
from collections.abc import Iterable

from clipfg.data.sources import read, signature
from clipfg.embedding.cache import EmbeddingCache, is_settled
from clipfg.errors import ItemError
from clipfg.types import content_hash


def contents_of(uris: Iterable[str], cache: EmbeddingCache) -> dict[str, bytes]:
    """The content hash of each image, as its embedding is cached under.

    Files that the cache has seen with the same size and time of change are not read. An image that
    cannot be read has no entry.
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
            contents[uri] = content_hash(read(uri))
        except ItemError:
            continue
        if uri in settled:
            new.append((uri, signatures[uri], contents[uri]))
    cache.remember(new)
    return contents
