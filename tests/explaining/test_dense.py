"""Dense similarity, patch by patch."""

import pytest

from clipfg.explaining.dense import dense
from tests.explaining.conftest import GRID


def test_is_the_cosine_of_every_patch(tower, pixels, texts) -> None:
    maps = dense(tower, pixels, texts)
    patches = tower.encode_images(pixels, patches=True).patches
    assert maps.shape == (len(pixels), len(texts), GRID, GRID)
    for row in range(GRID):
        for column in range(GRID):
            patch = patches[1, row * GRID + column]
            cosine = float(patch @ texts[2]) / float(patch.norm())
            assert float(maps[1, 2, row, column]) == pytest.approx(cosine, abs=1e-6)
