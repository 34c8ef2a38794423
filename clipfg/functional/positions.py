"""Tables of text positions, stretched for texts longer than a tower was trained on."""

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.errors import DataError

KEPT = 20
"""Rows that stay as they are: most texts are short, and their positions are well trained."""
STRETCH = 4
"""Rows that stand for one of the others afterwards."""


def stretch_positions(table: Float[Tensor, "n d"]) -> Float[Tensor, "m d"]:
    """A table of n positions as one of 4 n - 60: 77 become 248, and 64 become 196.

    The first 20 rows are kept. Each later one is followed by three between it and the next, and
    the last by three that go on in its direction (Long-CLIP, arXiv:2403.15378, section 3.1):

        new[20 + 4 i + j] = ((4 - j) old[20 + i] + j old[21 + i]) / 4,  j = 0..3

    Raises `DataError` for a table of fewer than 22 rows.
    """
    if len(table) < KEPT + 2:
        raise DataError(f"Expected {KEPT + 2} positions or more to stretch, got {len(table)}.")
    begins, steps = table[KEPT:], table[KEPT:].diff(dim=0)
    steps = torch.cat([steps, steps[-1:]])
    parts = torch.arange(STRETCH, dtype=table.dtype, device=table.device) / STRETCH
    rows = begins[:, None] + parts[:, None] * steps[:, None]
    return torch.cat([table[:KEPT], rows.flatten(0, 1)])


def join_positions(
    short: Float[Tensor, "n d"], stretched: Float[Tensor, "n d"]
) -> Float[Tensor, "n d"]:
    """The table of long texts: the first 20 rows of one table, the others of another."""
    return torch.cat([short[:KEPT], stretched[KEPT:]])
