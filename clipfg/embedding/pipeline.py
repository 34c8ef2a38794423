"""From a manifest to features: what is kept is looked up, the rest is decoded beside the encoder.

    scan -> fetch (threads: read, hash, decode, resize) -> encode (this thread) -> keep -> yield

Everything is bounded, so memory does not grow with the manifest, and everything that was yielded
is in the cache already, so a run that is killed loses the images in flight and no more.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from clipfg.embedding.batch_encoder import BatchEncoder, Known, batch_shape
from clipfg.embedding.batches import FeatureBatch
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.image_loader import ImageLoader, ImageRow
from clipfg.embedding.scanning import CHUNK, scan
from clipfg.encoders.base import Encoder
from clipfg.errors import ItemError
from clipfg.types import Failure, Features, Manifest

MOST_ROWS = 8 * CHUNK
"""Rows held at once, those that wait for an earlier image included."""

Report = Callable[[int, int], None]
"""Called with the items done so far and the items in all."""


def embed(
    manifest: Manifest,
    encoder: Encoder,
    cache: EmbeddingCache | None,
    *,
    batch_size: int = 32,
    workers: int | None = None,
    progress: Report | None = None,
    on_failure: Callable[[Failure], None] | None = None,
    strict: bool = False,
) -> Iterator[FeatureBatch]:
    """Stream the features of a manifest's images, in its order and in bounded memory.

    Each image's bits depend on the image, the encoder and the shape of the batches
    (`batch_shape`), not on which others were cached: a resumed run ends as an unbroken one.

    Parameters
    ----------
    manifest
        What to embed.
    encoder
        Its weights are loaded only when something is not in the cache.
    cache
        Where embeddings are kept; None keeps nothing.
    batch_size
        The most images encoded at once.
    workers
        Threads that read and decode; by default one for each core, at most eight.
    progress
        Called as batches are done, failures counted.
    on_failure
        Called in the manifest's order with each item that cannot be used.
    strict
        Raise the first failure as `ItemError` in place of going on.
    """
    stream = _Stream(manifest, encoder, cache, batch_size, workers or default_workers())
    done = 0
    try:
        for rows in stream.settled_rows():
            for row in rows:
                if isinstance(row.outcome, Failure):
                    if strict:
                        raise ItemError(row.outcome.reason)
                    if on_failure is not None:
                        on_failure(row.outcome)
            done += len(rows)
            batch = _batch(rows)
            if progress is not None:
                progress(done, len(manifest))
            if batch is not None:
                yield batch
    finally:
        stream.close()


def collect(
    manifest: Manifest,
    encoder: Encoder,
    cache: EmbeddingCache | None,
    *,
    batch_size: int = 32,
    workers: int | None = None,
    progress: Report | None = None,
    on_failure: Callable[[Failure], None] | None = None,
    strict: bool = False,
) -> Features:
    """The features of a manifest in memory, `[n, d]`; items that fail are left out. See `embed`."""
    pooled = np.empty((len(manifest), encoder.dim), dtype=np.float32)
    kept = np.empty(len(manifest), dtype=np.int64)
    rows = 0
    for batch in embed(
        manifest,
        encoder,
        cache,
        batch_size=batch_size,
        workers=workers,
        progress=progress,
        on_failure=on_failure,
        strict=strict,
    ):
        pooled[rows : rows + len(batch)] = batch.vectors
        kept[rows : rows + len(batch)] = batch.positions
        rows += len(batch)
    which = kept[:rows]
    ids, splits = manifest.ids, manifest.table["split"].to_pylist()
    return Features(
        ids=tuple(ids[i] for i in which),
        pooled=pooled[:rows],
        labels=manifest.labels[which],
        classes=manifest.classes,
        fingerprint=encoder.fingerprint,
        manifest=manifest.digest,
        splits=tuple(splits[i] for i in which),
    )


def default_workers() -> int:
    """A thread for each core that this process may use, eight at most.

    Pillow lets go of Python's lock, so threads do here. On two cores beside a bf16 ViT-B-32, which
    wants both, two threads gave 97 images/s, one 87, two processes 57, one process 68 (the tower
    alone 121); giving torch a single thread gave 70. See benchmarks/embed.py --sweep.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(8, cores)


def _batch(rows: list[ImageRow]) -> FeatureBatch | None:
    good = [row for row in rows if isinstance(row.outcome, np.ndarray)]
    if not good:
        return None
    vectors: NDArray[np.float32] = np.stack([row.outcome for row in good])  # type: ignore[misc]
    return FeatureBatch(
        positions=np.array([row.position for row in good], dtype=np.int64),
        ids=tuple(row.id for row in good),
        vectors=vectors,
        labels=np.array([row.label for row in good], dtype=np.int64),
        reused=sum(row.reused for row in good),
    )


@dataclass(slots=True)
class PendingImage:
    """An item that is being read and decoded in another thread, or that needs neither."""

    row: ImageRow
    pixels: Future[UInt8[Tensor, "3 h w"] | None] | None


class _Stream:
    """The state of one run: rows in flight, images that wait for the encoder, rows to hand on."""

    def __init__(
        self,
        manifest: Manifest,
        encoder: Encoder,
        cache: EmbeddingCache | None,
        batch_size: int,
        workers: int,
    ) -> None:
        self._cache = cache
        self._fingerprint = encoder.fingerprint
        self._shape = batch_shape(len(manifest), batch_size)
        self._ahead = 2 * self._shape + workers
        self._source = scan(manifest, self._fingerprint, cache)
        self._loader = ImageLoader(encoder.preprocessing, self._kept)
        self._batch_encoder = BatchEncoder(encoder, self._shape, cache)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="clipfg-decode")
        self._queue: deque[PendingImage] = deque()
        self._in_flight = 0
        self._pending: dict[bytes, UInt8[Tensor, "3 h w"]] = {}
        self._files: Known = []

    def settled_rows(self) -> Iterator[list[ImageRow]]:
        """Lists of consecutive rows whose outcome is known and kept."""
        assembled: deque[ImageRow] = deque()
        ready = 0
        while self._fill():
            assembled.append(self._take())
            encoded = False
            if len(self._pending) == self._shape or len(assembled) >= MOST_ROWS:
                encoded = self._encode()
            while ready < len(assembled) and assembled[ready].outcome is not None:
                ready += 1
            if ready and (encoded or ready >= CHUNK):
                yield [assembled.popleft() for _ in range(ready)]
                ready = 0
        self._encode()
        assert all(row.outcome is not None for row in assembled)
        if assembled:
            yield list(assembled)

    def close(self) -> None:
        """Stop the threads and keep what is known of files, however the run ends."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._keep_files()
        self._batch_encoder.close()

    def _kept(self, content: bytes) -> NDArray[np.float32] | None:
        if self._cache is None:
            return None
        return self._cache.get("images", self._fingerprint, [content]).get(content)

    def _fill(self) -> bool:
        """Start fetching what comes next, as far as is allowed; False at the end."""
        while self._in_flight < self._ahead and len(self._queue) < MOST_ROWS:
            row = next(self._source, None)
            if row is None:
                break
            future = None
            if row.outcome is None:
                future = self._pool.submit(self._loader.fetch, row)
                self._in_flight += 1
            self._queue.append(PendingImage(row, future))
        return bool(self._queue)

    def _take(self) -> ImageRow:
        """The next row in order, its image fetched and put with those that are to be encoded."""
        pending = self._queue.popleft()
        row = pending.row
        if pending.pixels is not None:
            pixels = pending.pixels.result()
            self._in_flight -= 1
            if pixels is not None and row.content is not None:
                self._pending[row.content] = pixels
            if row.content is not None and row.signature is not None and row.settled:
                self._files.append((row.uri, row.signature, row.content))
        if len(self._files) >= CHUNK:
            self._keep_files()
        return row

    def _encode(self) -> bool:
        if not self._pending:
            return False
        vectors, foreign = self._batch_encoder.encode(self._pending, self._files)
        for content in self._pending:
            if content in vectors:
                self._loader.settle(content, vectors[content], reused=content in foreign)
            else:
                self._loader.settle(
                    content, ("encode", "Expected finite features, got NaN or zero.")
                )
        self._pending, self._files = {}, []
        return True

    def _keep_files(self) -> None:
        if self._cache is not None and self._files:
            self._cache.remember(self._files)
            self._files = []
