"""Whether two images are the same, cropped, mirrored or saved again, by their pixels."""

from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

SKETCH = 64
"""The side of the thumbnail kept of an image: 4 KB of grey."""
SIDE = 32
SCALES = (0.95, 0.9, 0.85, 0.8)
PLACES = (0.0, 1 / 3, 0.5, 2 / 3, 1.0)


def sketch(image: Image.Image) -> Image.Image:
    """An image of any size and mode as 64 x 64 pixels of grey."""
    return ImageOps.grayscale(image).resize((SKETCH, SKETCH), Image.Resampling.BOX)


def likeness(first: Image.Image, second: Image.Image) -> float:
    """The largest correlation of one sketch, or its mirror image, with crops of the other.

    Crops keep 80 to 100 % of each side, at 25 places each. Copies that were cropped like this,
    resized, mirrored, turned grey or saved again reach 0.95; other images of the same kind of thing
    do not.
    """
    return max(_best(first, second), _best(second, first))


def _best(whole: Image.Image, other: Image.Image) -> float:
    own = whole.resize((SIDE, SIDE), Image.Resampling.BOX)
    wholes = _rows([own, ImageOps.mirror(own)])
    parts = [other.resize((SIDE, SIDE), Image.Resampling.BOX)]
    for scale, x, y in product(SCALES, PLACES, PLACES):
        left, top, side = (1 - scale) * SKETCH * x, (1 - scale) * SKETCH * y, scale * SKETCH
        box = (left, top, left + side, top + side)
        parts.append(other.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box))
    return float((_rows(parts) @ wholes.T).max())


def _rows(images: list[Image.Image]) -> NDArray[np.float32]:
    """Pixels as rows of mean 0 and norm 1; a single-colour image is a row of zeros."""
    rows = np.stack([np.asarray(image, dtype=np.float32).ravel() for image in images])
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-3)
