"""From a manifest to features: cached ones are looked up, the others computed and cached.

    scan -> load (threads: read, hash, decode, resize) -> encode (this thread) -> keep -> yield

Each stage holds a bounded number of items, so memory does not grow with the manifest. What has been
yielded has been cached, so a run that is killed loses only the images in flight.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from clipfg.embedding.batches import FeatureBatch
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.cached_features import Dense
from clipfg.embedding.embedding_run import EmbeddingRun
from clipfg.embedding.framing import Framing
from clipfg.errors import ItemError, UsageError
from clipfg.types import Failure, Features, Manifest, Patches, Progress, Regions
from clipfg.types.dense import bag_offsets

if TYPE_CHECKING:
    from clipfg.embedding.views import ViewItems, Views
    from clipfg.encoders.base import Encoder

REGIONS: tuple[Dense, ...] = ("regions",)
WHOLE = Framing("whole")
PATCHES: tuple[Dense, ...] = ("patches",)


class EmbeddingOptions(TypedDict, total=False):
    """The options of `embed`, which describes them."""

    dense: Collection[Dense]
    framing: Framing | None
    views: Views | None
    batch_size: int
    workers: int | None
    progress: Progress | None
    on_failure: Callable[[Failure], None] | None
    strict: bool


def embed(
    manifest: Manifest,
    encoder: Encoder,
    cache: EmbeddingCache | None,
    *,
    dense: Collection[Dense] = (),
    framing: Framing | None = None,
    views: Views | None = None,
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
    framing
        Embed of each image the part that the item's `box` and `view` say; None embeds it whole.
        Items of one image that follow one another share its decoding.
    views
        Embed several views of each item and return their mean; an item fails where one view does.
        Not together with `dense` and regions.
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

    Raises `UsageError` for dense features of an encoder or of data that has none, and for those,
    views and regions together.
    """
    read = framing is not None and framing.crop == "region"
    if bool(dense) + (views is not None) + read > 1:
        raise UsageError(
            "Expected dense features, views or boxes read as regions, got two of them; an item has"
            " a dense map of its own only where it is embedded as one image."
        )
    options: dict[str, Any] = {"batch_size": batch_size, "workers": workers}

    def report(failure: Failure) -> None:
        if strict:
            raise ItemError(failure.reason)
        if on_failure is not None:
            on_failure(failure)

    if views is not None:
        from clipfg.embedding.views import ViewItems

        looks = ViewItems(manifest, views, report)
        options["framing"] = framing or WHOLE
        return _embed_views(looks, views, encoder, cache, progress, **options)
    if read:
        from clipfg.embedding.box_regions import BoxRegions

        parts = BoxRegions(manifest, encoder.preprocessing, report)
        options |= {"framing": WHOLE, "progress": progress, "on_failure": parts.fail}
        return parts.batches(embed(parts.images, encoder, cache, dense=REGIONS, **options))
    run = partial(
        EmbeddingRun,
        manifest,
        encoder,
        cache,
        dense,
        framing,
        batch_size,
        workers or default_workers(),
    )
    return _embed_items(manifest, run, progress, report)


def _embed_items(
    manifest: Manifest,
    start: Callable[[], EmbeddingRun],
    progress: Progress | None,
    report: Callable[[Failure], None],
) -> Iterator[FeatureBatch]:
    """The features of items that are each embedded once, by a run that begins with the first."""
    run, bags, done = start(), manifest.bags, 0
    try:
        for rows in run.finished_rows():
            for row in rows:
                if isinstance(row.outcome, Failure):
                    report(row.outcome)
            done += len(rows)
            if progress is not None:
                progress(done, len(manifest))
            if (batch := FeatureBatch.of(rows, bags)) is not None:
                yield batch
    finally:
        run.close()


def _embed_views(
    items: ViewItems,
    views: Views,
    encoder: Encoder,
    cache: EmbeddingCache | None,
    progress: Progress | None,
    **options: Any,
) -> Iterator[FeatureBatch]:
    """The dense maps, where they say what to look at; then all views. Progress counts passes."""
    total = len(items) * (len(views) + views.needs_map)
    done = 0

    def count(now: int, _: int) -> None:
        if progress is not None:
            progress(done + now, total)

    if views.needs_map:
        items.look(embed(items.whole(), encoder, cache, dense=PATCHES, progress=count, **options))
        done = len(items)
    found = embed(items.items(), encoder, cache, progress=count, on_failure=items.fail, **options)
    yield from items.batches(found)


def collect(
    manifest: Manifest,
    encoder: Encoder,
    cache: EmbeddingCache | None,
    **options: Unpack[EmbeddingOptions],
) -> Features:
    """The features of a manifest in memory, without items that fail; see `embed`."""
    pooled = np.empty((len(manifest), encoder.dim), dtype=np.float32)
    kept = np.empty(len(manifest), dtype=np.int64)
    patches: list[Patches] = []
    regions: list[Regions] = []
    rows = 0
    for batch in embed(manifest, encoder, cache, **options):
        pooled[rows : rows + len(batch)] = batch.vectors
        kept[rows : rows + len(batch)] = batch.positions
        rows += len(batch)
        if batch.patches is not None:
            patches.append(batch.patches)
        if batch.regions is not None:
            regions.append(batch.regions)
    which = kept[:rows]
    ids, splits = manifest.ids, manifest.table["split"].to_pylist()
    numbers, offsets, names = manifest.bags, None, ()
    if numbers is not None:
        offsets = bag_offsets(numbers[which])
        names = tuple(manifest.table["bag"].take(which[offsets[:-1]]).to_pylist())
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
        bag_offsets=offsets,
        bag_names=names,
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
