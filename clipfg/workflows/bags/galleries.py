"""Bags on a page: their instances, those that speak most for the answer first."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from clipfg.data.images.thumbnails import thumbnail
from clipfg.errors import ItemError
from clipfg.pages.formats import count, percent
from clipfg.pages.gallery import Tile, TileGroup
from clipfg.workflows.bags.rows import INSTANCES
from clipfg.workflows.bags.tiling import HEAT, PREVIEWS
from clipfg.workflows.classify import PREDICTIONS

SHOWN = 8
"""Bags on a page: half of them the surest mistakes, as far as there are any."""
MOST, LEAST = 6, 2
"""Instances of a bag: those with the highest scores, and with the lowest."""


def bag_galleries(run: Path, suffix: str = "") -> list[TileGroup]:
    """Maps of large pictures, and a group of images for some bags, from the files of a run.

    `suffix` is what their names still end in. None where images cannot be read, as of features.
    """
    predictions, instances, heat, previews = (
        run / f"{name}{suffix}" for name in (PREDICTIONS, INSTANCES, HEAT, PREVIEWS)
    )
    maps = [
        _pictures(
            heat,
            "Where scores are high",
            "Red is the highest score of all, blue the least; of its bag, for attention.",
        ),
        _pictures(previews, "What was left out", "Tiles under blue are of one colour."),
    ]
    return [*(group for group in maps if group.tiles), *_bags(predictions, instances)]


def _pictures(folder: Path, title: str, note: str) -> TileGroup:
    files = sorted(folder.glob("*.jpg"))[:SHOWN]
    return TileGroup(title, tuple(Tile(file.read_bytes(), file.stem) for file in files), note)


def _bags(predictions: Path, instances: Path) -> list[TileGroup]:
    if not (predictions.is_file() and instances.is_file()):
        return []
    rows = pq.read_table(predictions).sort_by([("probability", "descending")]).to_pylist()
    wrong = [row for row in rows if row["correct"] is False][: SHOWN // 2]
    right = [row for row in rows if row["correct"] is not False]
    step = max(len(right) // max(SHOWN - len(wrong), 1), 1)
    chosen = [*wrong, *right[::step][: SHOWN - len(wrong)]]
    return [group for row in chosen if (group := _gallery(row, instances)).tiles]


def _gallery(row: dict[str, Any], instances: Path) -> TileGroup:
    table = pq.read_table(instances, filters=[("bag", "==", row["id"])]).sort_by("rank")
    places = [*range(min(MOST, len(table)))]
    places += [i for i in range(len(table) - LEAST, len(table)) if i >= MOST]
    tiles = []
    for one in table.take(places).to_pylist():
        try:
            image = thumbnail(one["uri"])
        except ItemError:
            continue
        line = f"{one['rank']} of {len(table):,}: {one['score']:+.2f}"
        tiles.append(Tile(image, line, (one["id"],)))
    known = f"; label: {row['label']}" if row["label"] is not None else ""
    about = table["about"][0].as_py() if len(table) else ""
    note = (
        f"{row['prediction']}, {percent(row['probability'], 0)}{known}."
        f" {count(len(table), 'instance')}, ordered by how much they speak for {about}."
    )
    return TileGroup(row["id"], tuple(tiles), note)
