"""Grad-ECLIP by finite differences on what is pooled last, and its weights in loops."""

from dataclasses import replace

import torch

from clipfg.explaining.grad_eclip import grad_eclip
from tests.explaining.conftest import GRID

STEP = 1e-5


def test_equals_finite_differences(tower, plain, pixels, texts) -> None:
    maps = grad_eclip(tower, pixels, texts)
    assert maps.shape == (len(pixels), len(texts), GRID, GRID)
    for image in range(len(pixels)):
        own = replace(plain, pixels=plain.pixels[[image]])
        how = by_tokens if plain.average else by_gathering
        for place, text in enumerate(texts.double()):
            expected = how(own, text).clamp(min=0).float()
            torch.testing.assert_close(maps[image, place].flatten(), expected, atol=1e-6, rtol=1e-3)


def by_gathering(plain, text):
    """The attention that gathers patches last: `relu(lambda_p w . v_p)`, heads joined."""
    *heads, output = plain.gathering()
    queries, keys, values = (each[0].transpose(0, 1).flatten(1) for each in heads)
    width = values.shape[1]
    weights = torch.zeros(width, dtype=torch.float64)
    for channel in range(width):
        scores = []
        for step in (STEP, -STEP):
            changed = output.clone()
            changed[0, channel // 16, 0, channel % 16] += step
            scores.append(plain.gathered(changed, text)[0])
        weights[channel] = (scores[0] - scores[1]) / (2 * STEP)
    likeness = torch.stack(
        [queries[0] @ key / (queries[0].norm() * key.norm()) for key in keys[plain.prefix :]]
    )
    spread = (likeness - likeness.min()) / (likeness.max() - likeness.min())
    shown = values[plain.prefix :]
    return torch.stack([x * (weights @ v) for x, v in zip(spread, shown, strict=True)])


def by_tokens(plain, text):
    """The mean of patches: each token times how the score moves with it."""
    found = []
    for patch in range(1, GRID * GRID + 1):
        changes = STEP * torch.eye(plain.last.shape[2], dtype=torch.float64)
        up, down = plain.last.repeat(len(changes), 1, 1), plain.last.repeat(len(changes), 1, 1)
        up[:, patch] += changes
        down[:, patch] -= changes
        slopes = (plain.score(up, text) - plain.score(down, text)) / (2 * STEP)
        found.append(slopes @ plain.last[0, patch])
    return torch.stack(found)
