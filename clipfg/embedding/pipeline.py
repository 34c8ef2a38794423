"""From a manifest to features: cached ones are looked up, the others computed and cached.

    scan -> load (threads: read, hash, decode, resize) -> encode (this thread) -> keep -> yield

Each stage holds a bounded number of items, so memory does not grow with the manifest. What has been
yielded has been cached, so a run that is killed loses only the images in flight.
"""

import os
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipfg.embedding.batch_encoder import BatchEncoder, batch_shape
from clipfg.embedding.batches import FeatureBatch
from clipfg.embedding.cache import EmbeddingCache, FileHash
from clipfg.embedding.encode_locks import EncodeLocks
from clipfg.embedding.image_loader import ImageLoader, ImageRow, LoadedImage
from clipfg.embedding.kept_features import Dense, ImageKey, ItemFeatures, KeptFeatures
from clipfg.embedding.scanning import scan
from clipfg.encoders.base import Encoder
from clipfg.errors import ItemError
from clipfg.types import Failure, Features, Manifest, Patches, Progress, Regions
from clipfg.types.dense import bag_offsets, offsets_of

CHUNK = 512
"""Items looked up and yielded together: of pooled features alone, a mebibyte or two."""
MOST_CHUNKS = 8
"""Chunks held at once, including items that wait for an earlier image."""


def embed(
    manifest: Manifest,
    encoder: Encoder,
    cache: EmbeddingCache | None,
    *,
    dense: Collection[Dense] = (),
    batch_size: int = 32,
    workers: int | None = None,
    progress: Progress | None = None,
    on_failure: Callable[[Failure], None] | None = None,
    strict: bool = False,
) -> Iterator[FeatureBatch]:
    """Stream the features of a manifest's images, in its order and in bounded memory.

    The bits of an image's features depend on the image, the encoder and the shape of the batches
    (`batch_shape`), not on which other images were cached, so that an interrupted and resumed run
    ends as an uninterrupted one does.

    Parameters
    ----------
    manifest
        What to embed.
    encoder
        Its weights are loaded only when something is not in the cache.
    cache
        Where embeddings are kept; None keeps nothing.
    dense
        What to return (and keep) beside the pooled features: `"patches"`, and `"regions"` for the
        boxes in the manifest's `regions` column or, where it has none, its `box` column.
    batch_size
        The largest number of images encoded at once.
    workers
        Threads that read and decode; by default one for each core, at most eight.
    progress
        Called after each batch; failed items count as done.
    on_failure
        Called in the manifest's order with each item that cannot be used.
    strict
        Raise the first failure as `ItemError`.

    Raises `UsageError` for dense features of an encoder or of data that has none.
    """
    bags = manifest.bags
    run = _EmbeddingRun(manifest, encoder, cache, dense, batch_size, workers or default_workers())
    done = 0
    try:
        for rows in run.finished_rows():
            for row in rows:
                if isinstance(row.outcome, Failure):
                    if strict:
                        raise ItemError(row.outcome.reason)
                    if on_failure is not None:
                        on_failure(row.outcome)
            done += len(rows)
            batch = _batch(rows, bags)
            if progress is not None:
                progress(done, len(manifest))
            if batch is not None:
                yield batch
    finally:
        run.close()


def collect(
    manifest: Manifest,
    encoder: Encoder,
    cache: EmbeddingCache | None,
    *,
    dense: Collection[Dense] = (),
    batch_size: int = 32,
    workers: int | None = None,
    progress: Progress | None = None,
    on_failure: Callable[[Failure], None] | None = None,
    strict: bool = False,
) -> Features:
    """The features of a manifest in memory, without items that fail; see `embed`."""
    pooled = np.empty((len(manifest), encoder.dim), dtype=np.float32)
    kept = np.empty(len(manifest), dtype=np.int64)
    patches: list[Patches] = []
    regions: list[Regions] = []
    rows = 0
    for batch in embed(
        manifest,
        encoder,
        cache,
        dense=dense,
        batch_size=batch_size,
        workers=workers,
        progress=progress,
        on_failure=on_failure,
        strict=strict,
    ):
        pooled[rows : rows + len(batch)] = batch.vectors
        kept[rows : rows + len(batch)] = batch.positions
        rows += len(batch)
        if batch.patches is not None:
            patches.append(batch.patches)
        if batch.regions is not None:
            regions.append(batch.regions)
    which = kept[:rows]
    ids, splits, bags = manifest.ids, manifest.table["split"].to_pylist(), manifest.bags
    return Features(
        ids=tuple(ids[i] for i in which),
        pooled=pooled[:rows],
        labels=manifest.labels[which],
        classes=manifest.classes,
        fingerprint=encoder.fingerprint,
        manifest=manifest.digest,
        splits=tuple(splits[i] for i in which),
        patches=Patches.concat(patches) if patches else None,
        regions=Regions.concat(regions) if regions else None,
        bag_offsets=None if bags is None else bag_offsets(bags[which]),
    )


def default_workers() -> int:
    """A thread for each core that this process may use, at most eight.

    Pillow releases Python's lock while it decodes, so threads suffice. On two cores beside a bf16
    ViT-B-32, which wants both, two threads gave 97 images/s, one 87, two processes 57, one process
    68 (the tower alone 121); giving torch a single thread gave 70. See benchmarks/embed.py --sweep.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(8, cores)


@dataclass(slots=True)
class PendingImage:
    """An item whose image is being loaded in a thread, or one that needs no loading (None)."""

    row: ImageRow
    image: Future[LoadedImage | None] | None


class _EmbeddingRun:
    """The state of one run.

    Items pass through it in the manifest's order: `_loaded_rows` loads their images ahead of time,
    `finished_rows` collects images into batches, encodes them, and hands on the items whose
    features or failure are known.
    """

    def __init__(
        self,
        manifest: Manifest,
        encoder: Encoder,
        cache: EmbeddingCache | None,
        dense: Collection[Dense],
        batch_size: int,
        workers: int,
    ) -> None:
        self._shape = batch_shape(len(manifest), batch_size)
        self._chunk = self._shape if dense else CHUNK
        self._most_rows = MOST_CHUNKS * self._chunk
        self._kept = KeptFeatures(cache, encoder, dense)
        self._source = scan(manifest, self._kept, self._chunk)
        self._loader = ImageLoader(encoder.preprocessing, self._kept_features)
        lock_file = cache.path.with_name("locks") if cache and cache.writable else None
        self._locks = EncodeLocks(lock_file, encoder.fingerprint)
        self._encoder = BatchEncoder(encoder, self._shape, self._kept, self._locks)
        self._ahead = 2 * self._shape + workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="clipfg-decode")
        self._batch: dict[ImageKey, LoadedImage] = {}
        self._files: list[FileHash] = []

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
        queue: deque[PendingImage] = deque()
        loading = 0
        while True:
            while loading < self._ahead and len(queue) < self._most_rows:
                row = next(self._source, None)
                if row is None:
                    break
                future = None
                if row.outcome is None:
                    future = self._pool.submit(self._loader.fetch, row)
                    loading += 1
                queue.append(PendingImage(row, future))
            if not queue:
                return
            pending = queue.popleft()
            image = None
            if pending.image is not None:
                image = pending.image.result()
                loading -= 1
                self._note_file(pending.row)
            yield pending.row, image

    def _encode(self) -> bool:
        """Encode the images of the batch, if there are any, and settle their rows."""
        if not self._batch:
            return False
        features, foreign = self._encoder.encode(self._batch, self._files)
        for key in self._batch:
            if key in features:
                self._loader.settle(key, features[key], reused=key in foreign)
            else:
                self._loader.settle(key, ("encode", "Expected finite features, got NaN or zero."))
        self._batch, self._files = {}, []
        return True

    def _kept_features(self, key: ImageKey) -> ItemFeatures | None:
        return self._kept.get([key]).get(key)

    def _note_file(self, row: ImageRow) -> None:
        if row.key is not None and row.signature is not None and row.settled:
            self._files.append((row.uri, row.signature, row.key.content))
        if len(self._files) >= CHUNK:
            self._keep_files()

    def _keep_files(self) -> None:
        self._kept.remember(self._files)
        self._files = []

    def close(self) -> None:
        """Stop the threads and keep the content hashes found so far, however the run ends."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._keep_files()
        self._locks.close()


def _batch(rows: list[ImageRow], bags: NDArray[np.int64] | None) -> FeatureBatch | None:
    good = [(row, row.outcome) for row in rows if isinstance(row.outcome, ItemFeatures)]
    if not good:
        return None
    positions = np.array([row.position for row, _ in good], dtype=np.int64)
    return FeatureBatch(
        positions=positions,
        ids=tuple(row.id for row, _ in good),
        vectors=np.stack([features.pooled for _, features in good]),
        labels=np.array([row.label for row, _ in good], dtype=np.int64),
        reused=sum(row.reused for row, _ in good),
        patches=_patches([features.patches for _, features in good]),
        regions=_regions(good),
        bags=None if bags is None else bags[positions],
    )


def _patches(maps: list[NDArray[np.float16] | None]) -> Patches | None:
    found = [each for each in maps if each is not None]
    if not found:
        return None
    values = np.concatenate([each.reshape(-1, each.shape[-1]) for each in found])
    return Patches(values, np.array([each.shape[:2] for each in found]))


def _regions(items: list[tuple[ImageRow, ItemFeatures]]) -> Regions | None:
    found = [
        (features.regions, row.boxes, row.phrases)
        for row, features in items
        if features.regions is not None and row.boxes is not None
    ]
    if not found:
        return None
    values, boxes, phrases = zip(*found, strict=True)
    return Regions(
        values=np.concatenate(values),
        boxes=np.concatenate(boxes),
        offsets=offsets_of([len(each) for each in values]),
        phrases=tuple(phrase for each in phrases for phrase in each),
    )
