"""Patches by a product against the convolution."""

import pytest
import torch
from torch import nn

from clipfg.encoders.towers.patches import embed_patches_by_products


@pytest.mark.parametrize("size", [(32, 32), (37, 61)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_product_equals_the_convolution(size: tuple[int, int], bias: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 5, (8, 10), (8, 10), bias=bias).double()
    images = torch.randn(2, 3, *size).double()
    expected = layer(images)
    embed_patches_by_products(layer)
    torch.testing.assert_close(layer(images), expected)
    assert "forward" in vars(layer)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 5, 16, 8),
        nn.Conv2d(3, 5, 4, 4),
        nn.Conv2d(3, 5, 8, 8, padding=1),
        nn.Conv2d(3, 3, 8, 8, groups=3),
        nn.Conv2d(3, 5, 8, 8, dilation=2),
    ],
)
def test_other_convolutions_stay(layer: nn.Conv2d) -> None:
    embed_patches_by_products(nn.Sequential(layer))
    assert "forward" not in vars(layer)
