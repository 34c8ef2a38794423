"""Tiles of large pictures as items: `tile:LEVEL/X/Y/SIZE/PATH`, cut out when they are read."""

import re
from dataclasses import dataclass
from typing import Self

import numpy as np

from clipfg.data.slides.slide import Pixels, open_slide
from clipfg.data.sources import ByteSource, Signature, stat_file
from clipfg.errors import ItemError

_URI = re.compile(r"tile:(\d+)/(\d+)/(\d+)/(\d+)/(.+)", re.ASCII | re.DOTALL)
COARSE = 8
"""A tile is judged on a level of the slide that is at most so many times coarser."""


@dataclass(frozen=True)
class Tile:
    """A square of a level of the picture at `path`, in pixels of the level."""

    level: int
    x: int
    y: int
    size: int
    path: str

    @classmethod
    def of(cls, uri: str) -> Self:
        """The tile of a URI. Raises `ItemError` for another form."""
        if (match := _URI.fullmatch(uri)) is None:
            raise ItemError(f"Expected a URI like tile:0/512/256/256/PATH, got {uri!r}.")
        level, x, y, size = map(int, match.groups()[:4])
        return cls(level, x, y, size, match[5])

    @property
    def uri(self) -> str:
        """By which it is read."""
        return f"tile:{self.level}/{self.x}/{self.y}/{self.size}/{self.path}"

    def pixels(self) -> Pixels:
        """Cut out of its picture. Raises `ItemError` where that cannot be read."""
        return open_slide(self.path).part(self.level, self.x, self.y, self.size, self.size)

    def look(self) -> Pixels:
        """Its pixels on a coarser level, where one can be read. Raises as `pixels` does."""
        slide = open_slide(self.path)
        wide = slide.size(self.level)[0]
        level = max(i for i, (w, _) in enumerate(slide.levels) if w * COARSE >= wide)
        if level <= self.level:
            return self.pixels()
        scale = slide.levels[level][0] / wide
        x, y, size = (round(scale * value) for value in (self.x, self.y, self.size))
        try:
            return slide.part(level, x, y, max(size, 1), max(size, 1))
        except ItemError:  # that level alone may be damaged
            return self.pixels()


def tiles_of(path: str, size: int, overlap: int, level: int) -> list[Tile]:
    """Tiles that cover a level of a picture, row by row; the last of a row ends at its edge."""
    wide, high = open_slide(path).size(level)
    return [
        Tile(level, x, y, size, path)
        for y in _starts(high, size, overlap)
        for x in _starts(wide, size, overlap)
    ]


def is_blank(pixels: Pixels, spread: float) -> bool:
    """Whether all channels of a tile vary by less than a standard deviation of `spread`, of 255."""
    return bool((pixels.reshape(-1, 3).astype(np.float32).std(axis=0) < spread).all())


def _starts(length: int, size: int, overlap: int) -> list[int]:
    last = max(length - size, 0)
    starts = list(range(0, last + 1, size - overlap))
    return starts if starts[-1] == last else [*starts, last]


def _read(uri: str) -> bytes:
    """The tile as an uncompressed PPM file (P6), which Pillow opens."""
    pixels = Tile.of(uri).pixels()
    high, wide, _ = pixels.shape
    return b"P6 %d %d 255\n" % (wide, high) + pixels.tobytes()


def _signature(uri: str) -> Signature:
    return stat_file(Tile.of(uri).path, largest=None)


TILES = ByteSource(_read, _signature)
