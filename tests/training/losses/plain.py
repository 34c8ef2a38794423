"""What the references of the losses are written with: numbers and loops, no tensors."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

Row = Sequence[float]


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers in float64, with a gradient."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


def cosine(x: Row, y: Row) -> float:
    dot = sum(a * b for a, b in zip(x, y, strict=True))
    return dot / math.sqrt(sum(a * a for a in x) * sum(b * b for b in y))


def surprise(scores: Sequence[float], right: int) -> float:
    """-log softmax at `right`."""
    return math.log(sum(math.exp(s) for s in scores)) - scores[right]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
