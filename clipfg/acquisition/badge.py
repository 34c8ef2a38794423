"""BADGE: images that would move the classifier far, and each elsewhere."""

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool
from clipfg.acquisition.random import random
from clipfg.functional.kmeans import draw_apart


def badge(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """k-means++ over gradient embeddings; without probabilities random images.

    The embedding `g = (p - e_y) x^T`, with `y` the likeliest class, is the gradient of the loss by
    a last layer if `y` were the label. It has `c d` numbers an image and is never held:
    `<g, g'> = <p - e_y, p' - e_y'> <x, x'>`. The first is the longest, as the authors' code has it.

    Source: Ash et al. 2020, arXiv:1906.03671, algorithm 1.
    """
    if pool.probabilities is None:
        return random(pool, budget)
    generator = torch.Generator().manual_seed(pool.seed)
    x, errors = pool.features, pool.probabilities.clone()
    errors[torch.arange(len(x)), errors.argmax(dim=1)] -= 1
    lengths = errors.square().sum(dim=1) * x.square().sum(dim=1)
    chosen = [int(lengths.argmax())]
    squares = torch.full((len(x),), torch.inf, device=x.device)
    while len(chosen) < pool.check(budget):
        last = chosen[-1]
        products = (errors @ errors[last]) * (x @ x[last])
        squares = torch.minimum(squares, (lengths + lengths[last] - 2 * products).clamp_min(0))
        chosen.append(draw_apart(squares, chosen, generator))
    return torch.tensor(chosen, device=x.device)
