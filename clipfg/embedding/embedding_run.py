"""The inner loop of the pipeline: which items are loaded, encoded and handed on, and when."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    InvalidStateError,
    ThreadPoolExecutor,
    wait,
)
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clipfg.embedding.cache import EmbeddingCache, FileHash
from clipfg.embedding.cached_features import CachedFeatures, Dense, ImageKey
from clipfg.embedding.encode_locks import EncodeLocks
from clipfg.embedding.framing import Framing
from clipfg.embedding.image_row import ImageRow
from clipfg.embedding.scanning import scan
from clipfg.types import Manifest

if TYPE_CHECKING:
    from clipfg.embedding.batch_encoder import BatchEncoder
    from clipfg.embedding.image_loader import ImageLoader, LoadedImage
    from clipfg.encoders.base import Encoder
    from clipfg.encoders.preprocessing import Preprocessing

CHUNK = 512
"""Items looked up and handed on together: of pooled features alone, a mebibyte or two."""
MOST_CHUNKS = 8
"""Chunks held at once, including items that wait for an earlier image."""


def batch_shape(items: int, batch_size: int) -> int:
    """The number of images in every batch of a run over `items`: even, at most `batch_size`.

    It depends on the number of items and never on how many are cached, so that a resumed run
    computes in the same shapes, and hence the same bits, as one that was not interrupted.
    """
    batches = max(1, -(-items // batch_size))
    return max(1, -(-items // batches))


class EmbeddingRun:
    """The state of one run.

    Items pass through it in the manifest's order: `_loaded_rows` loads their images ahead of time,
    `finished_rows` collects images into batches, encodes them, and hands on the items whose
    features or failure are known. Where all are cached, nothing that encodes is imported.
    """

    def __init__(
        self,
        manifest: Manifest,
        encoder: Encoder,
        cache: EmbeddingCache | None,
        dense: Collection[Dense],
        framing: Framing | None,
        batch_size: int,
        workers: int,
    ) -> None:
        self._shape = batch_shape(len(manifest), batch_size)
        self._chunk = self._shape if dense else CHUNK
        self._most_rows = MOST_CHUNKS * self._chunk
        self._cached = CachedFeatures(cache, encoder, dense)
        self._source = _images(scan(manifest, self._cached, self._chunk, framing), self._shape)
        lock_file = cache.path.with_name("locks") if cache and cache.writable else None
        self._locks = EncodeLocks(lock_file, encoder.fingerprint)
        self._encoder = encoder
        self._ahead = 2 * self._shape + workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="clipfg-decode")
        self._asked: Future[None] = Future()
        self._resizing: Future[Preprocessing] = Future()
        self._batch: dict[ImageKey, LoadedImage] = {}
        self._files: list[FileHash] = []

    @cached_property
    def _loader(self) -> ImageLoader:
        from clipfg.embedding.image_loader import ImageLoader

        return ImageLoader(self._preprocessing, self._cached.one)

    @cached_property
    def _batches(self) -> BatchEncoder:
        from clipfg.embedding.batch_encoder import BatchEncoder

        return BatchEncoder(self._encoder, self._shape, self._cached, self._locks)

    def finished_rows(self) -> Iterator[list[ImageRow]]:
        """Lists of consecutive rows whose outcome is known, and kept."""
        rows: deque[ImageRow] = deque()
        finished = 0
        for row, image in self._loaded_rows():
            rows.append(row)
            if image is not None and row.key is not None:
                self._batch[row.key] = image
            encoded = False
            if len(self._batch) == self._shape or len(rows) >= self._most_rows:
                encoded = self._encode()
            while finished < len(rows) and rows[finished].outcome is not None:
                finished += 1
            if finished and (encoded or finished >= self._chunk):
                yield [rows.popleft() for _ in range(finished)]
                finished = 0
        self._encode()
        assert all(row.outcome is not None for row in rows)
        if rows:
            yield list(rows)

    def _loaded_rows(self) -> Iterator[tuple[ImageRow, LoadedImage | None]]:
        """All rows in order, with the image of those that are to be encoded."""
        queue: deque[tuple[ImageRow, Future[dict[int, LoadedImage]] | None]] = deque()
        loading = 0
        while True:
            while loading < self._ahead and len(queue) < self._most_rows:
                rows = next(self._source, None)
                if rows is None:
                    break
                future = None
                if rows[0].outcome is None:
                    future = self._pool.submit(self._loader.fetch, rows)
                    loading += len(rows)
                queue.extend((row, future) for row in rows)
            if not queue:
                return
            row, future = queue.popleft()
            image = None
            if future is not None:
                image = self._images(future).pop(row.position, None)
                loading -= 1
                self._note_file(row)
            yield row, image

    def _preprocessing(self) -> Preprocessing:
        """The encoder's, for a thread that decodes."""
        with suppress(InvalidStateError):  # another thread has asked
            self._asked.set_result(None)
        return self._resizing.result()

    def _images(self, future: Future[dict[int, LoadedImage]]) -> dict[int, LoadedImage]:
        """What a thread has loaded.

        An encoder that is only known is opened here when one asks, and never by a thread that
        decodes: the caller of this run may hold a lock that opening takes.
        """
        if not self._resizing.done():
            either: tuple[Future[Any], ...] = (future, self._asked)
            wait(either, return_when=FIRST_COMPLETED)
            if self._asked.done():
                self._resizing.set_result(self._encoder.preprocessing)
        return future.result()

    def _encode(self) -> bool:
        """Encode the images of the batch, if there are any, and settle their rows."""
        if not self._batch:
            return False
        features, foreign = self._batches.encode(self._batch, self._files)
        failed = ("encode", "Expected finite features, got NaN or zero.")
        for key in self._batch:
            self._loader.settle(key, features.get(key, failed), reused=key in foreign)
        self._batch, self._files = {}, []
        return True

    def _note_file(self, row: ImageRow) -> None:
        if row.content is None or row.signature is None or not row.settled:
            return
        if not self._files or self._files[-1][0] != row.uri:  # once for all items of an image
            self._files.append((row.uri, row.signature, row.content))
        if len(self._files) >= CHUNK:
            self._keep_files()

    def _keep_files(self) -> None:
        self._cached.remember(self._files)
        self._files = []

    def close(self) -> None:
        """Stop the threads and keep the content hashes found so far, however the run ends."""
        self._resizing.cancel()  # where opening the encoder failed, or nobody listens any more
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._keep_files()
        self._locks.close()


def _images(rows: Iterable[ImageRow], most: int) -> Iterator[list[ImageRow]]:
    """Consecutive rows of one image that are to be loaded, at most `most`; each other row alone."""
    together: list[ImageRow] = []
    for row in rows:
        follows = together and row.uri == together[0].uri and row.outcome is None
        if together and (not follows or len(together) == most):
            yield together
            together = []
        if row.outcome is None:
            together.append(row)
        else:
            yield [row]
    if together:
        yield together
