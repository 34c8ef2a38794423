"""Small distinct images, old enough for the cache to trust their time of change."""

import os
from pathlib import Path

import numpy as np
from PIL import Image


def draw(path: Path, seed: int, width: int = 40, height: int = 40) -> str:
    """A distinct image for each seed, with a time of change in the past."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    age(path)
    return str(path)


def age(path: Path, seconds: float = 10) -> None:
    past = path.stat().st_mtime - seconds
    os.utime(path, (past, past))


def refuse(message: str) -> None:
    raise AssertionError(f"the cache was given up: {message}")
