"""Tiny checkpoints of every family, made once, and images of odd shapes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import checkpoints


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where each kind of tiny checkpoint lies."""
    home = tmp_path_factory.mktemp("checkpoints")
    return {kind: make(home / kind) for kind, make in checkpoints.EVERY.items()}


def image(width: int, height: int) -> Image.Image:
    """Smooth shades with edges on top, the same for the same size."""
    random = np.random.default_rng(width * 1000 + height)
    coarse = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.array(image)
    pixels[height // 3 : height // 2] = random.integers(0, 256, 3)
    return Image.fromarray(pixels)


@pytest.fixture(scope="session")
def odd_images() -> list[Image.Image]:
    """Portraits, panoramas, small ones, one-pixel strips, odd margins."""
    sizes = [(37, 53), (333, 500), (500, 333), (224, 224), (227, 225), (31, 64), (301, 20), (3, 90)]
    return [image(*size) for size in sizes]
