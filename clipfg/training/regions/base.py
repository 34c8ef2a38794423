"""Region proposals by name, and the `regions` column that they make."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from PIL import Image

from clipfg.data.images.decoding import decode, upright_size
from clipfg.data.sources import read, scheme_of
from clipfg.encoders import Encoder
from clipfg.errors import ItemError, UsageError
from clipfg.functional.windows import Window, is_box, visible_part
from clipfg.registry import Registry
from clipfg.types import COLUMNS, Manifest

MOST = 8
"""Regions of a picture."""


class Region(NamedTuple):
    """A box in pixels of the upright picture, the phrase for what it shows where it is known."""

    box: Window
    phrase: str | None = None


@dataclass(frozen=True)
class Picture:
    """A picture, with what its manifest and its texts have to say."""

    uri: str
    given: tuple[Region, ...] = ()
    """The manifest's own regions, else its box."""
    spans: tuple[str, ...] = ()
    """Phrases that may be looked for."""

    @cached_property
    def image(self) -> Image.Image:
        """Upright, decoded now. Raises `ItemError` for one that cannot be read."""
        return decode(read(self.uri))

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height, from the header alone. Raises `ItemError` as `image` does."""
        return upright_size(BytesIO(read(self.uri)) if scheme_of(self.uri) else Path(self.uri))


Proposer = Callable[[Picture], list[Region]]
"""From a picture to its regions, the best first."""


@dataclass(frozen=True)
class Means:
    """What a proposer may need."""

    rest: str = ""
    """What follows the colon of its name: `detector:REPO`."""
    encoder: Encoder | None = None
    offline: bool = False


PROPOSALS: Registry[Callable[[Means], Proposer]] = Registry("kind of region", "clipfg.regions")
PROPOSALS.register_all(
    "clipfg.training.regions",
    ("boxes", "boxes:boxes", "the data's own regions or boxes"),
    ("grid", "grid:grid", "windows that overlap, whatever they show"),
    ("attention", "attention:attention", "where the encoder itself looks"),
    ("detector", "detector:detector", "detector:REPO finds objects"),
)


def propose(
    manifest: Manifest,
    name: str,
    *,
    encoder: Encoder | None = None,
    spans: Sequence[Sequence[str]] | None = None,
    most: int = MOST,
    offline: bool = False,
) -> Manifest:
    """The manifest with a `regions` column: at most `most` boxes for each picture, the best first.

    Boxes are clipped to the picture, and empty ones dropped; a picture that cannot be read has
    none, to fail by name where it is embedded. `name` is one of `PROPOSALS`, or `detector:NAME`,
    with a repository of the hub or a folder. `spans` `[n][*]` are what an open-vocabulary detector
    looks for in each picture.

    Raises `UsageError` for an unknown name, and where no picture has a region.
    """
    kind, _, rest = name.partition(":")
    proposer = PROPOSALS.get(kind)(Means(rest, encoder, offline))
    found = [_proposed(proposer, picture)[:most] for picture in _pictures(manifest, spans)]
    if not any(found):
        raise UsageError(
            f"Expected regions in the pictures of {manifest.name} by {name!r}, got none in"
            f" {len(manifest):,}; try another of {', '.join(PROPOSALS)}."
        )
    cells = [
        [{"box": list(region.box), "phrase": region.phrase} for region in regions]
        for regions in found
    ]
    kept = [column for column in manifest.table.column_names if column != "regions"]
    table = manifest.table.select(kept).append_column(
        "regions", pa.array(cells, COLUMNS["regions"])
    )
    order = [column for column in COLUMNS if column in table.column_names]
    return replace(manifest, table=table.select(order))


def _pictures(manifest: Manifest, spans: Sequence[Sequence[str]] | None) -> Iterator[Picture]:
    none = [None] * len(manifest)
    boxes, regions = manifest.column("box") or none, manifest.column("regions") or none
    for uri, box, own, texts in zip(
        manifest.uris, boxes, regions, spans or [()] * len(manifest), strict=True
    ):
        given = [Region(tuple(one["box"]), one["phrase"]) for one in own or () if one["box"]]
        if box is not None and not given:
            given = [Region(tuple(box))]
        yield Picture(uri, tuple(given), tuple(texts))


def _proposed(proposer: Proposer, picture: Picture) -> list[Region]:
    """The regions of a picture, clipped; none of one that cannot be read."""
    try:
        return [*_visible(proposer(picture), picture.size)]
    except ItemError:
        return []


def _visible(regions: Sequence[Region], size: tuple[int, int]) -> Iterator[Region]:
    for region in regions:
        if not is_box(region.box):
            continue
        x0, y0, x1, y1 = visible_part(region.box, *size) or (0.0,) * 4
        if x1 - x0 >= 1 and y1 - y0 >= 1:  # less than a pixel shows nothing
            yield region._replace(box=(x0, y0, x1, y1))
