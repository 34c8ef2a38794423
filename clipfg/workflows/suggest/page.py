"""Suggestions as a list to fill in, and as a page of images."""

import csv
from collections.abc import Sequence
from pathlib import Path

from clipfg.data.images.thumbnails import thumbnail
from clipfg.errors import ItemError
from clipfg.pages.gallery import Tile, TileGroup, render_gallery
from clipfg.printable import as_cell
from clipfg.workflows.suggest.ranking import Suggestion


def write_csv(suggestions: Sequence[Suggestion], path: Path) -> None:
    """Write a list whose column `label` is to be filled in; `--labelled` reads it back."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "label", "likely", "path"))
        writer.writerows(
            (as_cell(each.id), "", as_cell(each.likely or ""), as_cell(each.path))
            for each in suggestions
        )


def render(suggestions: Sequence[Suggestion], name: str, strategy: str) -> str:
    """An HTML page with the image of every suggestion, the first to label first."""
    tiles = []
    for each in suggestions:
        try:
            image = thumbnail(each.path, box=each.box)
        except ItemError:  # features from a file, or an image that has gone
            image = None
        lines = [each.why]
        if each.likely is not None and each.probability is not None:
            lines.insert(0, f"{each.likely}? {each.probability:.0%}")
        tiles.append(Tile(image, f"{each.rank}. {each.id}", tuple(lines)))
    lead = f"{len(suggestions):,} images chosen by {strategy}, the first to label first."
    group = TileGroup("Images", tuple(tiles))
    return render_gallery(f"What to label next in {name}", lead, [group])
