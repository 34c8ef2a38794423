"""A large picture: its levels, and any part of one, with no more in memory than that part needs."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from clipfg.data.images.decoding import decode
from clipfg.data.sources import read_file
from clipfg.errors import ItemError

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How TIFF and BigTIFF begin; slides of several makers are TIFF under other suffixes."""
LARGEST_SEGMENT = 1 << 28
"""Bytes of a tile or strip of a TIFF, which is decoded as a whole."""
KNOWN = 64
"""Slides whose structure is remembered; each is a list of where its parts are."""

Pixels = UInt8[np.ndarray[Any, Any], "h w 3"]


class Slide:
    """A picture at `path`. Raises `ItemError` for one that cannot be read in parts."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._pages: list[Any] = []
        self._whole: NDArray[np.uint8] | None = None
        try:
            with Path(path).open("rb") as file:
                tiff = file.read(4) in TIFF
        except OSError as error:
            raise ItemError(f"Expected a picture at {path}, got {error.strerror}.") from None
        if tiff:
            self._pages = _pages(path)
        else:
            self._whole = np.asarray(decode(read_file(path)).convert("RGB"))

    @property
    def levels(self) -> list[tuple[int, int]]:
        """Width and height of each level, the finest first."""
        if self._whole is not None:
            return [(self._whole.shape[1], self._whole.shape[0])]
        return [(page.imagewidth, page.imagelength) for page in self._pages]

    def size(self, level: int) -> tuple[int, int]:
        """Width and height of a level. Raises `ItemError` where there is no such level."""
        if level >= len(self.levels):
            raise ItemError(
                f"Expected a level from 0 to {len(self.levels) - 1} of {self.path}, got {level}."
            )
        return self.levels[level]

    def part(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """A part of a level, cut at its edges. Raises `ItemError` for a damaged file."""
        wide, high = self.size(level)
        stop_x, stop_y = min(x + width, wide), min(y + height, high)
        if self._whole is not None:
            return self._whole[y:stop_y, x:stop_x]
        page = self._pages[level]
        out = np.full((stop_y - y, stop_x - x, 3), 255, dtype=np.uint8)
        for index, left, top in _segments(page, x, y, stop_x, stop_y):
            pixels = self._segment(page, index)
            if pixels is None:  # a tile that was never written
                continue
            x0, y0 = max(left, x), max(top, y)
            x1, y1 = min(left + pixels.shape[1], stop_x), min(top + pixels.shape[0], stop_y)
            cut = pixels[y0 - top : y1 - top, x0 - left : x1 - left]
            out[y0 - y : y1 - y, x0 - x : x1 - x] = cut
        return out

    def _segment(self, page: Any, index: int) -> NDArray[np.uint8] | None:
        with Path(self.path).open("rb") as file:
            file.seek(page.dataoffsets[index])
            data = file.read(page.databytecounts[index])
        if not data:
            return None
        try:
            decoded = page.decode(data, index, jpegtables=page.jpegtables)[0]
        except Exception as error:  # a decoder's own mistake costs one tile, not the run
            raise ItemError(f"Could not decode a part of {self.path}: {error}.") from None
        return None if decoded is None else _rgb(decoded[0])


@lru_cache(maxsize=KNOWN)
def open_slide(path: str) -> Slide:
    """The slide at a path; no file stays open."""
    return Slide(path)


def _pages(path: str) -> list[Any]:
    try:
        from tifffile import TiffFile, TiffFileError
    except ImportError:
        raise ItemError(
            f"Reading tiles of {path} needs tifffile; install it: pip install 'clipfg[slides]'."
        ) from None
    try:
        with TiffFile(path) as tiff:
            pages = [level.keyframe for level in tiff.series[0].levels]
            for page in pages:
                # Read while the file is open; the decoder of JPEG looks at the first part.
                _ = page.jpegtables, page.dataoffsets, page.decode
    except (TiffFileError, ValueError, IndexError, OSError) as error:
        raise ItemError(f"Expected a TIFF at {path}, got a damaged one: {error}.") from None
    for page in pages:
        _check(page, path)
    return pages


def _check(page: Any, path: str) -> None:
    if page.planarconfig != 1 or page.samplesperpixel not in (1, 3, 4) or page.imagedepth != 1:
        raise ItemError(
            f"Expected grey or RGB pixels, channels together, in {path}, got"
            f" {page.samplesperpixel} channels; save it as a plain tiled TIFF."
        )
    high, wide = _grain(page)
    size = high * wide * page.samplesperpixel * page.bitspersample // 8
    if size > LARGEST_SEGMENT:
        raise ItemError(
            f"Expected a TIFF in tiles or short strips at {path}, got parts of {size >> 20} MiB;"
            " save it as a tiled TIFF."
        )


def _grain(page: Any) -> tuple[int, int]:
    """Height and width of the parts that a page is stored in."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return min(page.rowsperstrip, page.imagelength), page.imagewidth


def _segments(
    page: Any, x: int, y: int, stop_x: int, stop_y: int
) -> Iterator[tuple[int, int, int]]:
    """The stored parts under a window: number, left and top of each."""
    high, wide = _grain(page)
    across = -(-page.imagewidth // wide)
    for row in range(y // high, -(-stop_y // high)):
        for column in range(x // wide, -(-stop_x // wide)):
            yield row * across + column, column * wide, row * high


def _rgb(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Three channels of 8 bits from one, three or four of 8 or 16."""
    if pixels.dtype == np.uint16:
        pixels = pixels >> 8
    elif pixels.dtype != np.uint8:
        raise ItemError(f"Expected pixels of 8 or 16 bits, got {pixels.dtype}.")
    shown = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]
    return shown.astype(np.uint8, copy=False)
