"""`--tiles`: large pictures become bags of their tiles, without those that show nothing."""

import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clipfg.data.slides.tiles import Tile, is_blank, tiles_of
from clipfg.data.sources import scheme_of
from clipfg.errors import DataError, ItemError, UsageError
from clipfg.options import TileOptions
from clipfg.types import COLUMNS, Failure, Manifest
from clipfg.workflows.bags.overview import STRENGTH, Overview, colours_of
from clipfg.workflows.run_folder import Failures, RunFolder, file_name

logger = logging.getLogger("clipfg")

PREVIEWS, HEAT = "tiles", "heat"
"""Folders of a run: what was left out of each picture, and where scores are high."""
LEFT_OUT = np.array([60.0, 130.0, 230.0])  # to be seen on white and on black


@dataclass
class Tiling:
    """Pictures cut into tiles: `manifest` has a row a tile, `overviews` a JPEG a picture.

    `previews` are the same with tiles that were left out under blue.
    """

    manifest: Manifest
    overviews: dict[str, bytes] = field(default_factory=dict)
    previews: dict[str, bytes] = field(default_factory=dict)

    def write(self, folder: RunFolder, instances: Path, by_bag: bool) -> None:
        """The previews, and maps of the scores that a file of instances has.

        Colours are from the least to the highest score of all or, where those of different bags
        cannot be compared, `by_bag`, of each bag.
        """
        _write(folder.part(PREVIEWS), self.previews)
        table = pq.read_table(instances, columns=["uri", "score", "bag"])
        scores = table["score"].to_numpy().astype(np.float64)
        bags = table["bag"].combine_chunks().dictionary_encode().indices.to_numpy()
        shares = _shares(scores, bags if by_bag else np.zeros_like(bags))
        of_picture: dict[str, list[int]] = defaultdict(list)
        tiles = [Tile.of(uri) for uri in table["uri"].to_pylist()]
        for row, tile in enumerate(tiles):
            of_picture[tile.path].append(row)
        maps = {}
        for path, rows in of_picture.items():
            own = [tiles[row] for row in rows]
            overview = Overview.read(self.overviews[path], path, own[0].level)
            overview.fade()
            overview.tint(own, colours_of(shares[rows]), STRENGTH)
            maps[path] = overview.jpeg()
        _write(folder.part(HEAT), maps)


def cut(manifest: Manifest, options: TileOptions, failures: Failures) -> Tiling:
    """The tiles of all pictures, each in the bag of its picture.

    Pictures that cannot be read in parts become `failures`. Raises `UsageError` for an overlap
    that leaves no step and for items that are no files, `DataError` where nothing is left.
    """
    assert options.tiles is not None
    if options.overlap >= options.tiles:
        raise UsageError(
            f"Expected an --overlap below --tiles {options.tiles}, got {options.overlap}."
        )
    made, rows, kept, ids = Tiling(manifest), [], [], []
    count = 0
    for row, (identity, uri) in enumerate(zip(manifest.ids, manifest.uris, strict=True)):
        if scheme_of(uri) is not None:
            raise UsageError(f"--tiles cuts pictures in files; {identity!r} is in none.")
        try:
            found = list(_cut(uri, options, made))
        except ItemError as error:
            failures.add(Failure(identity, uri, "tiles", str(error)))
            continue
        count += len(found)
        for tile in (tile for tile, blank in found if not blank):
            rows.append(row)
            kept.append(tile.uri)
            ids.append(f"{identity}#{tile.x},{tile.y}")
        if all(blank for _, blank in found):
            logger.warning(f"Left out: {identity!r}, all of whose tiles are blank")
    if not rows:
        raise DataError(f"Expected tiles that show something, {manifest.name} has none.")
    left = count - len(rows)
    logger.info(f"Tiles: {len(rows):,} of {count:,}; {left:,} are of one colour and left out")
    table = manifest.table.take(pa.array(rows))
    for name, values in (("id", ids), ("uri", kept)):
        table = table.set_column(
            table.column_names.index(name), name, pa.array(values, COLUMNS[name])
        )
    made.manifest = replace(manifest, table=table)
    return made


def _cut(path: str, options: TileOptions, made: Tiling) -> Iterator[tuple[Tile, bool]]:
    """The tiles of a picture, and whether each is blank; its overview is kept."""
    assert options.tiles is not None
    tiles = tiles_of(path, options.tiles, options.overlap, options.level)
    overview, blank = Overview.of(path, options.level), []
    for tile in tiles:
        try:
            pixels = tile.look()
        except ItemError:  # costs this tile, which is named when it is to be embedded
            yield tile, False
            continue
        overview.fill(tile, pixels)
        if is_blank(pixels, options.blank):
            blank.append(tile)
        yield tile, bool(blank) and blank[-1] is tile
    made.overviews[path] = overview.jpeg()
    overview.tint(blank, np.tile(LEFT_OUT, (len(blank), 1)), STRENGTH)
    made.previews[path] = overview.jpeg()


def _shares(scores: NDArray[np.float64], groups: NDArray[np.integer]) -> NDArray[np.float64]:
    """Scores `[r]` from 0, the least of a group, to 1, its highest."""
    shares = np.zeros(len(scores))
    for group in np.unique(groups):
        own = scores[rows := groups == group]
        shares[rows] = (own - own.min()) / max(np.ptp(own), 1e-12)
    return shares


def _write(folder: Path, pictures: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, (path, jpeg) in enumerate(pictures.items()):
        (folder / f"{number:04d}-{file_name(Path(path).stem)}.jpg").write_bytes(jpeg)
