"""MaxHerding: images near as many others as possible that are far from labelled ones."""

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool
from clipfg.acquisition.kernel_coverage import cover


def maxherding(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """Greedily maximise the mean over the pool of the kernel with the nearest labelled image.

    Images typical of a part of the data without labels come first, so that every class is soon
    found; outliers come last. No probabilities are needed. The radius is that of `cell_radius`.

    Source: Bae et al. 2024, arXiv:2407.12212, equation 5, with the radius from the data.
    """
    return cover(pool, budget, torch.ones(len(pool), device=pool.features.device))
