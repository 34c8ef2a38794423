"""LeGrad by finite differences on every attention probability."""

from dataclasses import replace

import torch

from clipfg.explaining.legrad import legrad
from tests.explaining.conftest import GRID, HEADS

STEP = 1e-5
TOKENS = GRID * GRID + 1


def test_equals_finite_differences(tower, plain, pixels, texts) -> None:
    expected = torch.zeros(len(pixels), len(texts), TOKENS, dtype=torch.float64)
    for image in range(len(pixels)):
        own = replace(plain, pixels=plain.pixels[[image]])
        for number in range(2):
            for place, text in enumerate(texts.double()):
                slopes = slopes_of(own, number, text)
                for head in range(HEADS):
                    for row in range(TOKENS):
                        expected[image, place] += slopes[head, row].clamp(min=0)
    expected /= 2 * HEADS * TOKENS
    maps = legrad(tower, pixels, texts)
    assert maps.shape == (len(pixels), len(texts), GRID, GRID)
    torch.testing.assert_close(maps.flatten(2), expected[:, :, 1:].float(), atol=1e-6, rtol=1e-3)


def slopes_of(plain, number, text):
    """How the score moves with each probability of a block `[h, n, n]`."""
    changes = STEP * torch.eye(HEADS * TOKENS * TOKENS, dtype=torch.float64)
    changes = changes.view(-1, HEADS, TOKENS, TOKENS)
    up, down = (
        plain.score(plain.block(number, plain.attention[number] + sign * changes), text)
        for sign in (1, -1)
    )
    return ((up - down) / (2 * STEP)).view(HEADS, TOKENS, TOKENS)
