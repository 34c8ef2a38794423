"""UHerding: as MaxHerding, where each image to be covered counts as much as it is unsure."""

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool
from clipfg.acquisition.kernel_coverage import cell_radius, greedy_coverage
from clipfg.acquisition.maxherding import maxherding
from clipfg.functional.uncertainty import margin_uncertainty


def uherding(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """Greedily maximise the kernel coverage weighted by `1 + u`, with `u = 1 - (p_1 - p_2)`.

    The paper weights by `u` alone. With few labels an image of a class that has none is often
    named with confidence, and would not be covered: hence the 1. Without probabilities it is
    MaxHerding.

    Source: Bae et al. 2025, arXiv:2412.20644, algorithm 1, with the radius of `cell_radius`.
    """
    if pool.probabilities is None:
        return maxherding(pool, budget)
    budget = pool.check(budget)
    generator = torch.Generator().manual_seed(pool.seed)
    radius = cell_radius(pool.features, len(pool.labelled) + budget, generator)
    weights = 1 + margin_uncertainty(pool.probabilities)
    return greedy_coverage(pool.features, pool.labelled, weights, budget, radius, generator)
