"""Content hashes of images, by which one is recognised under another name."""

import time
from collections.abc import Iterable
from contextlib import suppress

from clipfg.data.sources import Signature, read, signature
from clipfg.embedding.cache import EmbeddingCache, is_settled
from clipfg.errors import ItemError
from clipfg.types import content_hash


def look_at(uri: str) -> tuple[Signature, bool]:
    """The signature of an image now, and whether it is settled (`is_settled`).

    Raises `ItemError` when there is nothing at `uri`.
    """
    seen_ns = time.time_ns()
    found = signature(uri)
    return found, is_settled(found, seen_ns)


def contents_of(uris: Iterable[str], cache: EmbeddingCache) -> dict[str, bytes]:
    """The content hash of each image, as its embedding is cached under.

    Files that the cache has seen with the same signature are not read. An image that cannot be
    read has no entry.
    """
    seen = {}
    for uri in dict.fromkeys(uris):
        with suppress(ItemError):
            seen[uri] = look_at(uri)
    contents = cache.contents({uri: found for uri, (found, _) in seen.items()})
    new = [uri for uri in seen if uri not in contents]
    for uri in new:
        with suppress(ItemError):
            contents[uri] = content_hash(read(uri))
    cache.remember(
        (uri, seen[uri][0], contents[uri]) for uri in new if seen[uri][1] and uri in contents
    )
    return contents
