"""MaxHerding: images near as many others as possible that nothing labelled is near to."""

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool
from clipfg.acquisition.kernel_coverage import cell_radius, greedy_coverage


def maxherding(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """Greedily maximise the mean over the pool of the kernel with the nearest labelled image.

    What is typical of a part of the data that has no label comes first, so that every class is met
    soon; outliers come last. No probabilities are needed. The radius is that of `cell_radius`.

    Source: Bae et al. 2024, arXiv:2407.12212, equation 5, with the radius from the data.
    """
    budget = pool.check(budget)
    generator = torch.Generator().manual_seed(pool.seed)
    radius = cell_radius(pool.features, len(pool.labelled) + budget, generator)
    weights = torch.ones(len(pool), device=pool.features.device)
    return greedy_coverage(pool.features, pool.labelled, weights, budget, radius, generator)
