"""Small distinct images."""

from pathlib import Path

import numpy as np
from PIL import Image


def draw(path: Path, seed: int, width: int = 40, height: int = 40) -> str:
    """A distinct image for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)


def refuse(message: str) -> None:
    raise AssertionError(f"the cache was given up: {message}")
