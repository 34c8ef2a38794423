"""Near-duplicates: pairs of rows that are nearly the same."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


class DuplicatePairs(NamedTuple):
    """Two positions, the lower first, and the cosine of each pair; the most similar pairs first."""

    first: Int[Tensor, " m"]
    second: Int[Tensor, " m"]
    cosines: Float[Tensor, " m"]


def near_pairs(
    cosines: Float[Tensor, "n k"], neighbours: Int[Tensor, "n k"], least: float
) -> DuplicatePairs:
    """Pairs of rows with a cosine of at least `least`, each once, from the neighbours of every row.

    Of more than `k` rows that are all alike, some pairs are missing, but no row.
    """
    rows, columns = (cosines >= least).nonzero(as_tuple=True)
    others = neighbours[rows, columns]
    ends = torch.stack([torch.minimum(rows, others), torch.maximum(rows, others)], dim=1)
    values = cosines[rows, columns]
    order = torch.argsort(values, descending=True, stable=True)
    _, first = np.unique(ends[order].numpy(), axis=0, return_index=True)
    kept = order[torch.from_numpy(np.sort(first))]
    return DuplicatePairs(ends[kept, 0], ends[kept, 1], values[kept])
