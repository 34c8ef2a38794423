"""What a report shows of its mistakes: the images that were named wrongly, the surest first."""

from pathlib import Path

import pyarrow.parquet as pq

from clipfg.data.images.thumbnails import thumbnail
from clipfg.errors import ItemError
from clipfg.pages.formats import percent
from clipfg.pages.gallery import Tile

SHOWN = 24


def surest_mistakes(predictions: Path, most: int = SHOWN) -> list[Tile]:
    """The wrong rows of a predictions file with the highest probabilities, as thumbnails.

    Those whose image cannot be read (features have none) are left out; so is everything where
    there is no such file.
    """
    if not predictions.is_file():
        return []
    rows = pq.read_table(predictions, filters=[("correct", "==", False)])
    images = []
    for row in rows.sort_by([("probability", "descending")]).slice(0, most).to_pylist():
        try:
            image = thumbnail(row["uri"], box=row.get("box"))
        except ItemError:
            continue
        lines = (percent(row["probability"], 0), f"label: {row['label']}")
        images.append(Tile(image, row["prediction"], lines, "bad"))
    return images
