"""Items that are parts of images: what their boxes are taken for, and regions as items."""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.sets.catalogue import DATASETS
from clipfg.data.sources import read, scheme_of
from clipfg.embedding.framing import Crop, Framing
from clipfg.errors import ItemError, UsageError
from clipfg.functional.windows import GRID, Grid, grid_windows
from clipfg.heads.saving import SavedHead
from clipfg.options import BoxOptions, Options, PredictOptions, RegionOptions
from clipfg.types import COLUMNS, Manifest

EXTRA = "boxes"
"""Under what name a saved head carries how the boxes that it has learnt from were embedded."""

Region = dict[str, Any]
"""A cell of the `regions` column: a box and a phrase or None."""


def framing_of(options: Options, manifest: Manifest) -> Framing | None:
    """How the boxes of items are embedded; None where they have none, or are embedded whole.

    Data sets with a published protocol are embedded whole unless boxes are asked for. Raises
    `UsageError` for `--crop` beside `--boxes-as region`.
    """
    if not isinstance(options, BoxOptions) or not _has_boxes(manifest):
        return None
    if options.boxes_as == "region" and options.crop is not None:
        raise UsageError("--crop and --boxes-as region cannot be combined.")
    asked = options.boxes_as or options.crop
    published = asked is None and manifest.name.partition("@")[0] in DATASETS
    default: Crop = "whole" if published else "square"
    crop = "region" if reads_regions(options) else options.crop or default
    return None if crop == "whole" else Framing(crop)


def framed_as(options: PredictOptions, saved: SavedHead) -> PredictOptions:
    """Options with boxes embedded as those that a head has learnt from, where they do not say."""
    crop = saved.extras.get(EXTRA, {}).get("crop")
    if crop is None or options.boxes_as or options.crop:
        return options
    return replace(options, **({"boxes_as": crop} if crop == "region" else {"crop": crop}))


def whole_said(options: PredictOptions, saved: SavedHead, manifest: Manifest) -> str:
    """A warning where a head has learnt from boxes and sees whole pictures; else empty."""
    whole = options.crop == "whole" or framing_of(options, manifest) is not None
    if EXTRA not in saved.extras or whole:
        return ""
    return (
        "The head has learnt from boxes, and these pictures are used whole; give their boxes by"
        " --boxes FILE, or by --dataset."
    )


def reads_regions(options: Options) -> bool:
    """Whether boxes are to be read from dense maps: by choice, and those of `--regions` anyway."""
    if (
        not isinstance(options, BoxOptions)
        or options.boxes_as == "crop"
        or options.crop is not None
    ):
        return False
    regions = isinstance(options, RegionOptions) and options.regions
    return options.boxes_as == "region" or regions


def boxes_said(options: Options, manifest: Manifest) -> str:
    """A sentence on what the boxes of items are taken for; empty where there are none."""
    if not _has_boxes(manifest):
        return ""
    framing = framing_of(options, manifest)
    boxes = len(manifest) - manifest.table["box"].null_count
    if framing is None:
        return f"Boxes: {boxes:,}, not used (--crop or --boxes-as uses them)"
    images = pc.count_distinct(manifest.table["uri"]).as_py()
    how = "read from its dense map" if framing.crop == "region" else f"cut out ({framing.crop})"
    return f"Boxes: {boxes:,} in {images:,} images, each {how}"


def _has_boxes(manifest: Manifest) -> bool:
    table = manifest.table
    return "box" in table.column_names and table["box"].null_count < len(table)


def region_items(manifest: Manifest, grid: Grid = GRID) -> Manifest:
    """An item for each region of each image, beside its label and split.

    Regions are those of the column `regions`, else `box`, else a grid over the image. `box` is the
    region's, `captions` its phrase, `parent` the image's id; the item's id is that with the box,
    unless it is the item's own, and with `#2`, `#3` for a box that comes again. An image whose size
    cannot be read stays one item without a box, to fail by name.
    """
    columns: dict[str, list[Any]] = {"id": [], "box": [], "captions": [], "parent": []}
    rows: list[int] = []
    own, seen = manifest.column("box") or [None] * len(manifest), dict[str, int]()
    for row, (id, regions) in enumerate(zip(manifest.ids, _regions(manifest, grid), strict=True)):
        for region in regions or [{"box": None, "phrase": None}]:
            box = region["box"]
            rows.append(row)
            name = id if box in (None, own[row]) else f"{id}#{box_name(box)}"
            columns["id"].append(_numbered(name, seen))
            columns["box"].append(box)
            columns["captions"].append([region["phrase"]] if region["phrase"] else None)
            columns["parent"].append(id)
    kept = [n for n in manifest.table.column_names if n not in (*columns, "regions")]
    table = manifest.table.select(kept).take(pa.array(rows, pa.int64()))
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values, COLUMNS[name]))
    return replace(manifest, table=table.select([n for n in COLUMNS if n in table.column_names]))


def box_name(box: list[float]) -> str:
    """A box in an id: `x0,y0,x1,y1` to a tenth of a pixel."""
    return ",".join(f"{round(value, 1):g}" for value in box)


def _numbered(name: str, seen: dict[str, int]) -> str:
    """The name, with the first free number from `#2` where it was seen before."""
    if name not in seen:
        seen[name] = 1
        return name
    seen[name] += 1
    return _numbered(f"{name}#{seen[name]}", seen)


def _regions(manifest: Manifest, grid: Grid) -> Iterator[list[Region] | None]:
    if (own := manifest.column("regions")) is not None:
        yield from own
        return
    boxes = manifest.column("box") or [None] * len(manifest)
    for uri, box in zip(manifest.uris, boxes, strict=True):
        yield [{"box": box, "phrase": None}] if box else _grid(uri, grid)


def _grid(uri: str, grid: Grid) -> list[Region] | None:
    from clipfg.data.images.decoding import upright_size

    try:
        width, height = upright_size(BytesIO(read(uri)) if scheme_of(uri) else Path(uri))
    except ItemError:
        return None
    return [{"box": list(box), "phrase": None} for box in grid_windows(width, height, grid)]
