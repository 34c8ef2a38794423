"""Margin: the images whose two likeliest classes are closest."""

from jaxtyping import Int
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool
from clipfg.acquisition.random import random
from clipfg.functional.uncertainty import margin_uncertainty


def margin(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """The largest `1 - (p_1 - p_2)`; without probabilities nothing is less sure, so random ones.

    Neighbours are unsure together, so that a large budget is partly spent on asking twice.

    Source: Scheffer et al. 2001, doi:10.1007/3-540-44816-0_31.
    """
    if pool.probabilities is None:
        return random(pool, budget)
    unsure = margin_uncertainty(pool.probabilities)
    return unsure.argsort(descending=True, stable=True)[: pool.check(budget)]
