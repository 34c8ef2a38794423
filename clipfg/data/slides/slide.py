"""A large picture: its levels, and any part of one, with no more in memory than that part needs."""

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from clipfg.data.images.decoding import LARGEST, decode
from clipfg.data.sources import Signature, read_file, signature_of, stat_file
from clipfg.errors import ItemError

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How TIFF and BigTIFF begin; slides of several makers are TIFF under other suffixes."""
LARGEST_SEGMENT = 1 << 28
"""Bytes of a tile or strip of a TIFF, which is decoded as a whole."""
BLACK_IS_0, RGB, YCBCR = 1, 2, 6
"""What the channels of a page are (tag 262)."""
TURNED = {7, 33003, 33004, 33005, 33007, 34712, 34892}
"""Compressions, JPEG and JPEG 2000, whose decoders make RGB of YCbCr themselves."""
ASSOCIATED, UNASSOCIATED = 1, 2
"""Kinds of a fourth channel that say how opaque a pixel is (tag 338)."""
KNOWN = 64
"""Slides whose structure is remembered; each is a list of where its parts are."""
WHOLE = 2
"""Pictures that are kept decoded whole: the one that tiles are cut from, and the next."""

LOCK = Lock()

Pixels = UInt8[np.ndarray[Any, Any], "h w 3"]


class Slide:
    """A picture at `path`. Raises `ItemError` for one that cannot be read in parts."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            with Path(path).open("rb") as file:
                tiff = file.read(4) in TIFF
                self._signature = signature_of(os.fstat(file.fileno()))
        except OSError as error:
            raise ItemError(f"Expected a picture at {path}, got {error.strerror}.") from None
        self._pages = _pages(path) if tiff else []
        self.levels = [(page.imagewidth, page.imagelength) for page in self._pages]
        """Width and height of each level, the finest first."""
        if not self._pages:
            high, wide, _ = self._whole.shape
            self.levels = [(wide, high)]

    @property
    def _whole(self) -> NDArray[np.uint8]:
        with LOCK:  # else each thread would decode it
            return _decoded(self.path, self._signature)

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
        if not self._pages:
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
            data = file.read(size := page.databytecounts[index])
        if len(data) < size:
            raise ItemError(f"Expected all of {self.path}, got a file that is cut off.")
        if not data:
            return None
        try:
            decoded = page.decode(data, index, jpegtables=page.jpegtables)[0]
        except Exception as error:  # a decoder's own mistake costs one tile, not the run
            raise ItemError(f"Could not decode a part of {self.path}: {error}.") from None
        return None if decoded is None else _rgb(decoded[0], page.extrasamples)


def open_slide(path: str) -> Slide:
    """The slide at a path, as it is now; no file stays open."""
    return _opened(path, stat_file(path, largest=None))


@lru_cache(maxsize=KNOWN)
def _opened(path: str, signature: Signature) -> Slide:  # noqa: ARG001 - another file is another key
    return Slide(path)


@lru_cache(maxsize=WHOLE)
def _decoded(path: str, signature: Signature) -> NDArray[np.uint8]:  # noqa: ARG001
    return np.asarray(decode(read_file(path)))


def _pages(path: str) -> list[Any]:
    """The levels of a TIFF; none where it is small and must be decoded whole to be read right."""
    try:
        from tifffile import TiffFile
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
    except Exception as error:  # parsers raise a dozen kinds on hostile bytes
        raise ItemError(f"Expected a TIFF at {path}, got a damaged one: {error}.") from None
    if (why := next(filter(None, map(_unfit, pages)), None)) is None:
        return pages
    wide, high, channels = pages[0].imagewidth, pages[0].imagelength, pages[0].samplesperpixel
    if wide * high > LARGEST or channels > 4:
        raise ItemError(f"Expected {why} in {path}; save it as a plain tiled TIFF.")
    return []


def _unfit(page: Any) -> str | None:
    """What was expected of a page that cannot be read in parts, and what was got."""
    channels, kind = page.samplesperpixel, page.photometric
    if page.planarconfig != 1 or channels not in (1, 3, 4) or page.imagedepth != 1:
        return f"grey or RGB pixels, channels together, got {channels} channels"
    plain = kind == (BLACK_IS_0 if channels == 1 else RGB)
    if not plain and not (kind == YCBCR and page.compression in TURNED):
        return f"grey or RGB pixels, got {getattr(kind, 'name', kind)}"
    if page.dtype not in (np.uint8, np.uint16):
        return f"pixels of 8 or 16 bits, got {page.dtype}"
    if (turn := page.tags.valueof(274, 1)) != 1:
        return f"an upright picture, got orientation {turn}"
    high, wide = _grain(page)
    if (size := high * wide * channels * page.dtype.itemsize) > LARGEST_SEGMENT:
        return f"tiles or short strips, got parts of {size >> 20} MiB"
    return None


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


def _rgb(pixels: NDArray[Any], more: tuple[int, ...]) -> NDArray[np.uint8]:
    """Three channels of 8 bits from one, three or four of 8 or 16, what is transparent on white.

    `more` are the kinds of channels beyond the colours.
    """
    if pixels.dtype == np.uint16:
        pixels = pixels >> 8
    pixels = pixels.astype(np.uint8, copy=False)
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    colours, opacity = pixels[..., :3], pixels[..., 3:].astype(np.uint16)
    if more[:1] == (UNASSOCIATED,):
        colours = ((colours * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)
    elif more[:1] == (ASSOCIATED,):
        colours = np.minimum(colours + (255 - opacity), 255).astype(np.uint8)
    return colours
