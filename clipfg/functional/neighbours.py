"""Exact nearest neighbours by cosine, a block of rows at a time."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import DataError

_CELLS = 32_000_000  # similarities held at once: 128 MB of float32


def nearest_neighbours(
    features: Float[Tensor, "n d"], k: int
) -> tuple[Float[Tensor, "n j"], Int[Tensor, "n j"]]:
    """Cosines and positions of the `k` nearest other rows of every row, the most similar first.

    Features must be of unit norm. There are fewer than `k` neighbours if there are fewer other
    rows. Time grows with the square of `n`, memory does not.

    Raises `DataError` for a `k` below 1 and for fewer than two rows.
    """
    n = len(features)
    if k < 1 or n < 2:
        raise DataError(f"Expected k of at least 1 and at least two rows, got {k} and {n}.")
    k = min(k, n - 1)
    similarities, positions = [], []
    rows = max(1, _CELLS // n)
    for start in range(0, n, rows):
        block = features[start : start + rows].float() @ features.float().T
        own = torch.arange(len(block), device=block.device)
        block[own, start + own] = -torch.inf  # a row is not its own neighbour
        best = block.topk(k, dim=1)
        similarities.append(best.values)
        positions.append(best.indices)
    return torch.cat(similarities), torch.cat(positions)
