"""UHerding: as MaxHerding, with each image to be covered weighted by its uncertainty."""

from jaxtyping import Int
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool
from clipfg.acquisition.kernel_coverage import cover
from clipfg.acquisition.maxherding import maxherding
from clipfg.functional.uncertainty import margin_uncertainty


def uherding(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """Greedily maximise the kernel coverage weighted by `1 + u`, with `u = 1 - (p_1 - p_2)`.

    The paper weights by `u` alone. With few labels, an image of a class that has none is often
    classified confidently as another, and would not be covered: hence the 1. Without probabilities
    it is MaxHerding.

    Source: Bae et al. 2025, arXiv:2412.20644, algorithm 1, with the radius of `cell_radius`.
    """
    if pool.probabilities is None:
        return maxherding(pool, budget)
    return cover(pool, budget, 1 + margin_uncertainty(pool.probabilities))
