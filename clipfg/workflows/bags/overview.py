"""Large pictures at a glance: what was left out of them, and where scores are high."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipfg.data.slides.slide import Pixels, open_slide
from clipfg.data.slides.tiles import Tile

SIDE = 768
"""Pixels of the longer side of an overview."""
COLD, HOT = (49, 104, 196), (214, 58, 34)
STRENGTH = 0.45
"""How much of a tile's colour covers the picture."""


@dataclass
class Overview:
    """A picture of a level of a large one, filled in tile by tile."""

    pixels: NDArray[np.uint8]
    scale: float

    @classmethod
    def of(cls, path: str, level: int) -> "Overview":
        """A grey one."""
        wide, high = open_slide(path).size(level)
        scale = min(SIDE / max(wide, high), 1.0)
        shape = (max(round(high * scale), 1), max(round(wide * scale), 1), 3)
        return cls(np.full(shape, 200, dtype=np.uint8), scale)

    @classmethod
    def read(cls, jpeg: bytes, path: str, level: int) -> "Overview":
        """That of `path` and `level` which `jpeg` has made."""
        pixels = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).copy()
        return cls(pixels, min(SIDE / max(open_slide(path).size(level)), 1.0))

    def fill(self, tile: Tile, pixels: Pixels) -> None:
        """Put a tile in its place."""
        rows, columns = self._place(tile)
        size = columns.stop - columns.start, rows.stop - rows.start
        if min(size) > 0:
            small = Image.fromarray(pixels).resize(size, Image.Resampling.BOX)
            self.pixels[rows, columns] = np.asarray(small)

    def fade(self) -> None:
        """Without its colours, so that those laid over it can be told."""
        grey = Image.fromarray(self.pixels).convert("L")
        self.pixels = np.asarray(grey.convert("RGB")).copy()

    def tint(self, tiles: Sequence[Tile], colours: NDArray[np.float64], strength: float) -> None:
        """Lay colours `[t, 3]` over tiles; where tiles overlap, their mean."""
        total, covered = np.zeros(self.pixels.shape), np.zeros((*self.pixels.shape[:2], 1))
        for tile, colour in zip(tiles, colours, strict=True):
            rows, columns = self._place(tile)
            total[rows, columns] += colour
            covered[rows, columns] += 1
        share = strength * (covered > 0)
        mixed = (1 - share) * self.pixels + share * total / np.maximum(covered, 1)
        self.pixels = mixed.round().astype(np.uint8)

    def jpeg(self) -> bytes:
        """As a file."""
        buffer = io.BytesIO()
        Image.fromarray(self.pixels).save(buffer, format="JPEG", quality=85)
        return buffer.getvalue()

    def _place(self, tile: Tile) -> tuple[slice, slice]:
        high, wide, _ = self.pixels.shape
        starts = round(tile.y * self.scale), round(tile.x * self.scale)
        stops = (round((start + tile.size) * self.scale) for start in (tile.y, tile.x))
        return tuple(
            slice(min(start, most - 1), max(min(stop, most), min(start, most - 1) + 1))
            for start, stop, most in zip(starts, stops, (high, wide), strict=True)
        )  # type: ignore[return-value]


def colours_of(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """A colour `[t, 3]` for shares `[t]` from 0, cold, to 1, hot."""
    return np.array(COLD) + shares[:, None] * (np.array(HOT, dtype=np.float64) - COLD)
