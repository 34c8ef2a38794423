"""LeGrad by finite differences on every attention probability."""

from dataclasses import replace

import torch

from clipfg.explaining.legrad import legrad
from tests.explaining.conftest import GRID, HEADS

STEP = 1e-5


def test_equals_finite_differences(tower, plain, pixels, texts) -> None:
    tokens = GRID * GRID + plain.prefix
    expected = torch.zeros(len(pixels), len(texts), tokens, dtype=torch.float64)
    for image in range(len(pixels)):
        own = replace(plain, pixels=plain.pixels[[image]])
        for number in range(2):
            for place, text in enumerate(texts.double()):
                slopes = slopes_of(own, number, text)
                for head in slopes:
                    for row in head:
                        expected[image, place] += row.clamp(min=0) / len(head)
    expected /= 2 * HEADS
    maps = legrad(tower, pixels, texts)
    assert maps.shape == (len(pixels), len(texts), GRID, GRID)
    torch.testing.assert_close(
        maps.flatten(2), expected[:, :, plain.prefix :].float(), atol=1e-6, rtol=1e-3
    )


def slopes_of(plain, number, text):
    """How the score moves with each probability of a block, or of the pooling after it."""
    asked = plain.asked(number)
    changes = STEP * torch.eye(asked.numel(), dtype=torch.float64).view(-1, *asked.shape[1:])
    up, down = (plain.answered(number, asked + sign * changes, text) for sign in (1, -1))
    return ((up - down) / (2 * STEP)).view(asked.shape[1:])
