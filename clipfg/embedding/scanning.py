"""The first look at each item: is it there, was it seen before, is its embedding kept?"""

import time
from collections.abc import Iterator

from clipfg.data.sources import signature
from clipfg.embedding.cache import EmbeddingCache, is_settled
from clipfg.embedding.image_loader import ImageRow
from clipfg.errors import ItemError
from clipfg.types import UNLABELLED, Manifest

CHUNK = 512
"""Items looked up in the cache at once."""


def scan(manifest: Manifest, fingerprint: str, cache: EmbeddingCache | None) -> Iterator[ImageRow]:
    """The manifest's items in order, with their embedding where the cache has it.

    Without a cache nothing is looked at: whether a file is there shows when it is read.
    """
    table = manifest.table.select(["id", "uri", "label"])
    for start in range(0, len(table), CHUNK):
        columns = table.slice(start, CHUNK).to_pydict()
        rows = [
            ImageRow(start + i, id, uri, UNLABELLED if label is None else label)
            for i, (id, uri, label) in enumerate(zip(*columns.values(), strict=True))
        ]
        if cache is not None:
            _look_up(rows, fingerprint, cache)
        yield from rows


def _look_up(rows: list[ImageRow], fingerprint: str, cache: EmbeddingCache) -> None:
    signatures = {}
    for row in rows:
        try:
            seen_ns = time.time_ns()
            row.signature = signatures[row.uri] = signature(row.uri)
            row.settled = is_settled(row.signature, seen_ns)
        except ItemError as error:
            row.fail("read", str(error))
    contents = cache.contents(signatures)
    vectors = cache.get("images", fingerprint, list(set(contents.values())))
    for row in rows:
        content = contents.get(row.uri)
        if row.outcome is None and content in vectors:
            row.content, row.outcome, row.reused = content, vectors[content], True
