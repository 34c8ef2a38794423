"""Margin and entropy: the images whose class is least certain."""

from collections.abc import Callable

from jaxtyping import Int
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool
from clipfg.acquisition.random import random
from clipfg.functional.uncertainty import entropy_uncertainty, margin_uncertainty


def margin(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """The largest `1 - (p_1 - p_2)`; without probabilities, random images.

    Neighbours are uncertain together, so that part of a large budget is spent on near-duplicates.

    Source: Scheffer et al. 2001, doi:10.1007/3-540-44816-0_31.
    """
    return _least_certain(pool, budget, margin_uncertainty)


def entropy(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """The largest entropies; without probabilities, random images.

    Source: Settles 2009, Active Learning Literature Survey, section 3.1.
    """
    return _least_certain(pool, budget, entropy_uncertainty)


def _least_certain(
    pool: UnlabelledPool, budget: int, uncertainty: Callable[[Tensor], Tensor]
) -> Tensor:
    if pool.probabilities is None:
        return random(pool, budget)
    unsure = uncertainty(pool.probabilities)
    return unsure.argsort(descending=True, stable=True)[: pool.check(budget)]
