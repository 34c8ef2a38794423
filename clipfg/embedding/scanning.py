"""The first look at each item: does its file exist, was it seen before, is its embedding kept?"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.cached_features import CachedFeatures
from clipfg.embedding.content_hash import look_at
from clipfg.embedding.image_loader import ImageRow
from clipfg.errors import ItemError, UsageError
from clipfg.types import UNLABELLED, Manifest

REGIONS = ("regions", "box")
"""The columns that regions come from: the first that the data has."""


def scan(manifest: Manifest, cached: CachedFeatures, chunk: int) -> Iterator[ImageRow]:
    """The manifest's items in order, with the features that are kept, looked up `chunk` at a time.

    Without a cache no file is looked at: whether it exists shows when it is read. Raises
    `UsageError` when regions are asked for and the data has none.
    """
    names = ["id", "uri", "label"]
    if "regions" in cached.dense:
        names += [name for name in REGIONS if name in manifest.table.column_names][:1]
        if len(names) == 3:
            raise UsageError(f"{manifest.name} has no column of regions or boxes.")
    table = manifest.table.select(names)
    for start in range(0, len(table), chunk):
        rows = list(_rows(table.slice(start, chunk), start))
        if cached.cache is not None:
            _look_up(rows, cached, cached.cache)
        yield from rows


def _rows(table: pa.Table, start: int) -> Iterator[ImageRow]:
    columns = table.to_pydict().values()
    for position, (id, uri, label, *regions) in enumerate(zip(*columns, strict=True), start):
        row = ImageRow(position, id, uri, UNLABELLED if label is None else label)
        if regions:
            _add_regions(row, regions[0])
        yield row


def _add_regions(row: ImageRow, value: list[Any] | None) -> None:
    """Read a cell of the `regions` column, or of the `box` column: one region without a phrase."""
    regions = value or []
    if regions and not isinstance(regions[0], dict):
        regions = [{"box": regions, "phrase": None}]
    try:
        row.boxes = np.array([region["box"] for region in regions], "<f4").reshape(-1, 4)
        row.phrases = tuple(region["phrase"] or None for region in regions)
    except (TypeError, ValueError):
        row.boxes = np.full((1, 4), np.nan, "<f4")
    if not np.isfinite(row.boxes).all():
        row.fail("read", "Expected four numbers for the box of each region, got something else.")


def _look_up(rows: list[ImageRow], cached: CachedFeatures, cache: EmbeddingCache) -> None:
    signatures = {}
    for row in rows:
        try:
            row.signature, row.settled = look_at(row.uri)
            signatures[row.uri] = row.signature
        except ItemError as error:
            row.fail("read", str(error))
    contents = cache.contents(signatures)
    known = [row for row in rows if row.outcome is None and row.uri in contents]
    keys = [row.key_for(contents[row.uri]) for row in known]
    features = cached.get(keys)
    for row, key in zip(known, keys, strict=True):
        if key in features:
            row.key, row.outcome, row.reused = key, features[key], True
