"""BADGE: images that would change the classifier most, each in another direction."""

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool
from clipfg.acquisition.random import random
from clipfg.functional.kmeans import draw_apart


def badge(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """k-means++ over gradient embeddings; without probabilities, random images.

    The embedding `g = (p - e_y) x^T`, with `y` the most likely class, is the gradient of the loss
    with respect to a last layer if `y` were the label. Its `c d` numbers per image are never
    materialised: `<g, g'> = <p - e_y, p' - e_y'> <x, x'>`. The longest comes first, as in the
    authors' code.

    Source: Ash et al. 2020, arXiv:1906.03671, algorithm 1.
    """
    if pool.probabilities is None:
        return random(pool, budget)
    generator = torch.Generator().manual_seed(pool.seed)
    x, errors = pool.features, pool.probabilities.clone()
    errors[torch.arange(len(x)), errors.argmax(dim=1)] -= 1
    lengths = errors.square().sum(dim=1) * x.square().sum(dim=1)

    def squares_to(i: int) -> Tensor:
        products = (errors @ errors[i]) * (x @ x[i])
        return (lengths + lengths[i] - 2 * products).clamp_min(0)

    first = int(lengths.argmax())
    return draw_apart(first, pool.check(budget), squares_to, generator).to(x.device)
