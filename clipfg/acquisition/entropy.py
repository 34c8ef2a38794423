"""Entropy: the images whose probabilities are spread most evenly."""

from jaxtyping import Int
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool
from clipfg.acquisition.random import random
from clipfg.functional.uncertainty import entropy_uncertainty


def entropy(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """The largest entropies; without probabilities, random images.

    Source: Settles 2009, Active Learning Literature Survey, section 3.1.
    """
    if pool.probabilities is None:
        return random(pool, budget)
    unsure = entropy_uncertainty(pool.probabilities)
    return unsure.argsort(descending=True, stable=True)[: pool.check(budget)]
