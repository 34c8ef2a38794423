"""Small images, each of its own bytes and old enough to be trusted by the cache."""

import os
from pathlib import Path

import numpy as np
from PIL import Image


def draw(path: Path, seed: int, side: int = 40) -> str:
    """An image of its own for each seed, written long enough ago to be trusted."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    age(path)
    return str(path)


def age(path: Path, seconds: float = 10) -> None:
    past = path.stat().st_mtime - seconds
    os.utime(path, (past, past))


def refuse(message: str) -> None:
    raise AssertionError(f"the cache was given up: {message}")
