"""Whether two images are one: cropped, mirrored, written on or saved again, by their pixels."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

SKETCH = 64
"""The side of the thumbnail kept of an image: 4 KB of grey."""
SIDE = 32
SCALES = (0.95, 0.9, 0.85, 0.8)
PLACES = (0.0, 1 / 3, 0.5, 2 / 3, 1.0)
TILE = 8
"""The side of the tiles that are compared one by one."""
FLAT = 2.0
"""Grey levels below which the spread within a tile is noise."""

Sketch = NDArray[np.uint8]
Pixels = NDArray[np.float32]


def sketch(image: Image.Image) -> Sketch:
    """An image of any size and mode as 64 x 64 pixels of grey."""
    return np.asarray(ImageOps.grayscale(image).resize((SKETCH, SKETCH), Image.Resampling.BOX))


def likeness(first: Sketch, second: Sketch) -> float:
    """How alike two sketches are, up to 1; copies reach 0.95, other images of a kind do not.

    The larger of two measures. The first is the largest correlation of one, or its mirror image,
    with crops of the other, which keep 80 to 100 % of each side, at 25 places each. The second is
    the median correlation of their 16 tiles, mirrored or not, which a caption, a stamp or a bar
    over a few tiles leaves as it is. Copies that were turned grey, resized or saved again have
    both.
    """
    one, other = crops(first), crops(second)
    return max(_crop_likeness(one, other), tile_likeness(first, second))


def crops(image: Sketch) -> Pixels:
    """The whole, its mirror image and all crops `[102, 1024]`, of mean 0 and norm 1."""
    pixels = image.astype(np.float32)
    whole = (_filters(1.0) @ pixels @ _filters(1.0).transpose(0, 2, 1))[0]
    parts = [whole[None], whole[None, :, ::-1]]
    for scale in SCALES:
        filters = _filters(scale)
        rows = filters @ pixels
        parts.append(
            np.einsum("ayx,bzx->abyz", rows, filters, optimize=True).reshape(-1, SIDE, SIDE)
        )
    return _unit(np.concatenate(parts).reshape(-1, SIDE * SIDE), 1e-3)


def _crop_likeness(one: Pixels, other: Pixels) -> float:
    """The largest correlation of either's whole or mirror image with all of the other's."""
    return float(max((one[:2] @ other.T).max(), (other[:2] @ one.T).max()))


def tile_likeness(first: Sketch, second: Sketch) -> float:
    """The median correlation of tiles of the same place, mirrored or not."""
    one = _tiles(first)
    pairs = (one * _tiles(second), one * _tiles(second[:, ::-1]))
    return max(float(np.median(pair.sum(axis=1))) for pair in pairs)


def _tiles(image: Sketch) -> Pixels:
    small = _shrink(image)
    side = SIDE // TILE
    tiles = small.reshape(side, TILE, side, TILE).transpose(0, 2, 1, 3).reshape(-1, TILE * TILE)
    return _unit(tiles, FLAT * TILE)


def _shrink(image: Sketch) -> Pixels:
    return image.astype(np.float32).reshape(SIDE, 2, SIDE, 2).mean(axis=(1, 3))


def _unit(rows: Pixels, least: float) -> Pixels:
    """Rows of mean 0 and norm 1; those of a smaller norm than `least` stay shorter."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Pixels = (rows / np.maximum(norms, least)).astype(np.float32)
    return scaled


@cache
def _filters(scale: float) -> Pixels:
    """Matrices `[p, 32, 64]` that cut `scale` of a side at each place and resize it, as Pillow.

    Of the whole there is one place, and each pair of pixels is averaged.
    """
    side = scale * SKETCH
    if scale == 1:
        return np.repeat(np.eye(SIDE, dtype=np.float32), 2, axis=1)[None] / np.float32(2)
    unit = Image.fromarray(np.eye(SKETCH, dtype=np.float32))
    found = []
    for place in PLACES:
        left = (SKETCH - side) * place
        cut = unit.resize((SIDE, SKETCH), Image.Resampling.BILINEAR, (left, 0, left + side, SKETCH))
        found.append(np.asarray(cut).T)
    return np.stack(found).astype(np.float32)
