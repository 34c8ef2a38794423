"""Bags on a page: their instances, those that speak most for the answer first."""

from pathlib import Path

import pyarrow.parquet as pq

from clipfg.data.images.thumbnails import thumbnail
from clipfg.errors import ItemError
from clipfg.pages.formats import count, percent
from clipfg.pages.gallery import Tile, TileGroup

SHOWN = 8
"""Bags on a page: half of them the surest mistakes, as far as there are any."""
MOST, LEAST = 6, 2
"""Instances of a bag: those with the highest scores, and with the lowest."""


def bag_galleries(predictions: Path, instances: Path) -> list[TileGroup]:
    """A group of tiles for some bags; none where images cannot be read, as of features."""
    if not (predictions.is_file() and instances.is_file()):
        return []
    rows = pq.read_table(predictions).sort_by([("probability", "descending")]).to_pylist()
    wrong = [row for row in rows if row["correct"] is False][: SHOWN // 2]
    right = [row for row in rows if row["correct"] is not False]
    step = max(len(right) // max(SHOWN - len(wrong), 1), 1)
    chosen = [*wrong, *right[::step][: SHOWN - len(wrong)]]
    return [group for row in chosen if (group := _gallery(row, instances)).tiles]


def _gallery(row: dict, instances: Path) -> TileGroup:  # type: ignore[type-arg]
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
        f"{row['prediction']}, {percent(row['probability'], 0)}{known}. {count(len(table), 'instance')},"
        f" ordered by how much they speak for {about}."
    )
    return TileGroup(row["id"], tuple(tiles), note)
