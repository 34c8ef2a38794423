"""The first look at each item: does its file exist, was it seen before, is its embedding kept?"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from clipfg.data.sources import Signature
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.cached_features import CachedFeatures
from clipfg.embedding.content_hash import look_at
from clipfg.embedding.framing import Framing
from clipfg.embedding.image_row import ImageRow
from clipfg.errors import ItemError, UsageError
from clipfg.types import UNLABELLED, Manifest

REGIONS = ("regions", "box")
"""The columns that regions come from: the first that the data has."""


FRAMES = ("box", "view")
"""The columns that say which part of its image an item is."""


def scan(
    manifest: Manifest, cached: CachedFeatures, chunk: int, framing: Framing | None = None
) -> Iterator[ImageRow]:
    """The manifest's items in order, with the features that are kept, looked up `chunk` at a time.

    With `framing`, an item is the part of its image that its box or view says; else the whole
    image. Without a cache no file is looked at: whether it exists shows when it is read. Raises
    `UsageError` when regions are asked for and the data has none.
    """
    names = manifest.table.column_names
    framed = [name for name in FRAMES if framing and name in names]
    regions: list[str] = []
    if "regions" in cached.dense:
        regions = [name for name in REGIONS if name in names and name not in framed][:1]
        if not regions:
            raise UsageError(f"{manifest.name} has no column of regions or boxes.")
    table = manifest.table.select(["id", "uri", "label", *framed, *regions])
    for start in range(0, len(table), chunk):
        rows = []
        columns = table.slice(start, chunk).to_pydict()
        for at in range(len(columns["id"])):
            cells = {name: values[at] for name, values in columns.items()}
            rows.append(_row(start + at, cells, framing, regions))
        if cached.cache is not None:
            _look_up(rows, cached, cached.cache)
        yield from rows


def _row(
    position: int, cells: dict[str, Any], framing: Framing | None, regions: list[str]
) -> ImageRow:
    label = UNLABELLED if cells["label"] is None else cells["label"]
    row = ImageRow(position, cells["id"], cells["uri"], label)
    if framing is not None:
        row.frame = framing.frame(cells.get("box"), cells.get("view"))
    for name in regions:
        _add_regions(row, cells[name])
    return row


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
    looks = {uri: _look(uri) for uri in dict.fromkeys(row.uri for row in rows)}
    for row in rows:
        look = looks[row.uri]
        if isinstance(look, ItemError):
            row.fail("read", str(look))
        else:
            row.signature, row.settled = look
    contents = cache.contents(
        {uri: look[0] for uri, look in looks.items() if not isinstance(look, ItemError)}
    )
    known = [row for row in rows if row.outcome is None and row.uri in contents]
    keys = [row.key_for(contents[row.uri]) for row in known]
    features = cached.get(keys)
    for row, key in zip(known, keys, strict=True):
        if key in features:
            row.key, row.outcome, row.reused = key, features[key], True


def _look(uri: str) -> tuple[Signature, bool] | ItemError:
    try:
        return look_at(uri)
    except ItemError as error:
        return error
