"""Margin: the images whose two most likely classes are closest."""

from jaxtyping import Int
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool
from clipfg.acquisition.random import random
from clipfg.functional.uncertainty import margin_uncertainty


def margin(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """The largest `1 - (p_1 - p_2)`; without probabilities, random images.

    Neighbours are uncertain together, so that part of a large budget is spent on near-duplicates.

    Source: Scheffer et al. 2001, doi:10.1007/3-540-44816-0_31.
    """
    if pool.probabilities is None:
        return random(pool, budget)
    unsure = margin_uncertainty(pool.probabilities)
    return unsure.argsort(descending=True, stable=True)[: pool.check(budget)]
