"""Outliers: items that are much farther from their neighbours than most are from theirs."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

FENCE = 3.0


class Outliers(NamedTuple):
    """The distance of each item, the distance beyond which items are outliers, and which are."""

    distances: Float[Tensor, " n"]
    fence: float
    far: Bool[Tensor, " n"]


def outliers(cosines: Float[Tensor, "n k"]) -> Outliers:
    """Items whose mean distance `1 - cos` to their `k` nearest neighbours is exceptionally large.

    The fence is Tukey's outer one, `Q3 + 3 (Q3 - Q1)`: two in a million of normal data lie beyond.

    Source: Ramaswamy et al. 2000, doi:10.1145/342009.335437 (distance to nearest neighbours; here
    their mean); Tukey 1977, Exploratory Data Analysis, section 2D.
    """
    distances = 1 - cosines.mean(dim=1)
    low, high = torch.quantile(distances.double(), torch.tensor([0.25, 0.75]).double()).tolist()
    fence = high + FENCE * (high - low)
    return Outliers(distances, fence, distances > fence)
