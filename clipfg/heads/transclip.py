"""TransCLIP: a mixture of Gaussians, tied to the text predictions and to nearest neighbours.

Assignments `z`, means `mu` and one diagonal covariance shared by all classes maximise

    sum_i z_i . log p_i  +  sum_ij w_ij z_i . z_j  -  sum_i KL(z_i || y_i),

where `p_ik` is the density of image `i` under class `k`, `w_ij = max(0, cos)` between an image
and its nearest neighbours, and `y_i` the text probabilities. Each step has a closed form:

    z_i   ~  y_i * exp(log p_i + sum_j w_ij z_j)        (repeated, since z_j moves too)
    mu_k  =  sum_i z_ik x_i / sum_i z_ik
    sigma =  mean_i sum_k z_ik (x_i - mu_k)^2           (per dimension)

They begin at `z = y`, `mu_k` the mean of the images most likely of class `k` by the texts, and
`sigma = 1/d`.

Source: Zanella, Gérin and Ben Ayed 2024, arXiv:2406.01837, written from its formulas.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.functional.neighbours import nearest_neighbours
from clipfg.heads.transduction import check_pool


def transclip(
    features: Float[Tensor, "n d"],
    logits: Float[Tensor, "n c"],
    *,
    neighbours: int = 3,
    confident: int = 8,
    rounds: int = 10,
    inner: int = 5,
) -> Float[Tensor, "n c"]:
    """Refined assignments, as log-probabilities.

    `neighbours` affect an image's assignment; a class begins at the mean of `confident` images.
    There are `rounds` steps over all blocks, and `inner` steps of the assignments within each.

    Raises `DataError` for a pool of fewer than two images.
    """
    check_pool(features, logits)
    x = features.float()
    texts = logits.float().log_softmax(dim=1)
    z = texts.exp()
    means = _first_means(x, z, confident)
    variance = x.new_full((x.shape[1],), 1 / x.shape[1])
    similarities, near = nearest_neighbours(x, neighbours)
    affinity = similarities.clamp_min(0)
    scores = texts
    for _ in range(rounds):
        density = _log_density(x, means, variance)
        for _ in range(inner):
            pull = sum(affinity[:, j, None] * z[near[:, j]] for j in range(near.shape[1]))
            scores = (texts + density + pull).log_softmax(dim=1)
            z = scores.exp()
        means = _means(x, z, means)
        variance = _variance(x, z, means)
    return scores


def _first_means(x: Tensor, z: Tensor, confident: int) -> Tensor:
    """The mean of the images of highest probability for each class."""
    best = z.topk(min(confident, len(z)), dim=0).indices
    return torch.stack([x[rows].mean(dim=0) for rows in best.T])


def _log_density(x: Tensor, means: Tensor, variance: Tensor) -> Tensor:
    """`-(x - mu)^T Sigma^-1 (x - mu) / 2`; the determinant is the same for all classes."""
    scaled = x / variance.sqrt(), means / variance.sqrt()
    return -0.5 * torch.cdist(*scaled, compute_mode="donot_use_mm_for_euclid_dist").square()


def _means(x: Tensor, z: Tensor, before: Tensor) -> Tensor:
    """Weighted means; a class without assigned images keeps its mean."""
    mass = z.sum(dim=0)[:, None]
    return torch.where(mass > 1e-8, (z.T @ x) / mass.clamp_min(1e-8), before)


def _variance(x: Tensor, z: Tensor, means: Tensor) -> Tensor:
    """`mean_i sum_k z_ik (x_i - mu_k)^2`, multiplied out so that no `[n, c, d]` is made."""
    mass = z.sum(dim=0)
    square = (x.square()).sum(dim=0) - 2 * ((z @ means) * x).sum(dim=0)
    square = square + (mass[:, None] * means.square()).sum(dim=0)
    return (square / len(x)).clamp_min(1e-8)
