"""Rollout as a product of whole matrices."""

import torch

from clipfg.explaining.rollout import rollout
from tests.explaining.conftest import GRID


def test_is_the_pooled_rows_of_the_product(tower, plain, pixels, texts) -> None:
    maps = rollout(tower, pixels, texts)
    assert maps.shape == (len(pixels), len(texts), GRID, GRID)
    for image in range(len(pixels)):
        product = torch.eye(GRID * GRID + plain.prefix, dtype=torch.float64)
        for attention in plain.attention:
            mean = sum(attention[image]) / len(attention[image])
            product = (mean + torch.eye(len(mean))) / 2 @ product
        row = plain.pooled_row()[image] @ product
        for map_ in maps[image]:
            torch.testing.assert_close(
                map_.flatten(), row[plain.prefix :].float(), atol=1e-6, rtol=1e-4
            )
