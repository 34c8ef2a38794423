"""Patch prototypes: which of k prototypes each patch shows, and the losses that they learn from.

Patches of n images lie end to end `[r, k]`; `owners` `[r]` say whose image each is.

Source: PiPViT (Oghbaie et al. 2025, arXiv:2506.10669), after PIP-Net (Nauta et al. 2023, CVPR).
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize

TINY = 1e-8
"""Added before logarithms."""


def shares(scores: Float[Tensor, "r k"]) -> Float[Tensor, "r k"]:
    """How much each patch shows of each prototype: `softmax(ReLU(score))`, which sums to 1."""
    return scores.relu().softmax(dim=1)


def presences(
    scores: Float[Tensor, "r k"], owners: Int[Tensor, " r"], count: int
) -> Float[Tensor, "n k"]:
    """The mean `ReLU(score)` of each prototype over the patches of each of `count` images.

    0 for an image without patches.
    """
    sums = scores.new_zeros(count, scores.shape[1]).index_add(0, owners, scores.relu())
    return sums / torch.bincount(owners, minlength=count).clamp_min(1)[:, None]


def largest(
    shares: Float[Tensor, "r k"], owners: Int[Tensor, " r"], count: int
) -> Float[Tensor, "n k"]:
    """The largest share of each prototype in any patch of each of `count` images."""
    each = len(shares) // max(count, 1)
    if torch.equal(owners, torch.arange(count).repeat_interleave(each)):  # many times as fast
        return shares.unflatten(0, (count, each)).amax(dim=1)
    places = owners[:, None].expand_as(shares)
    start = shares.new_zeros(count, shares.shape[1])
    return start.scatter_reduce(0, places, shares, "amax", include_self=False)


def align_loss(first: Float[Tensor, "r k"], second: Float[Tensor, "r k"]) -> Float[Tensor, ""]:
    """`-mean log<p1, stop-grad(p2)>`, and the same with 1 and 2 exchanged, in the mean.

    `first` and `second` are the shares of the same places in two views.
    """

    def towards(moving: Tensor, still: Tensor) -> Tensor:
        return -((moving * still.detach()).sum(dim=1) + TINY).log().mean()

    return (towards(first, second) + towards(second, first)) / 2


def tanh_loss(presence: Float[Tensor, "b k"]) -> Float[Tensor, ""]:
    """`-mean over prototypes of log tanh(sum over the batch of presence)`: none stays unused."""
    return -(presence.sum(dim=0).tanh() + TINY).log().mean()


def koleo_loss(presence: Float[Tensor, "b k"]) -> Float[Tensor, ""]:
    """`-mean_i log min_(j != i) |x_i - x_j|` of unit-norm presences: images are told apart.

    0 for fewer than two images. Source: Sablayrolles et al. 2019, arXiv:1806.03198, equation 3.
    """
    if len(presence) < 2:
        return presence.sum() * 0
    x = normalize(presence, dim=1)
    with torch.no_grad():
        nearest = (x @ x.T).fill_diagonal_(-1).argmax(dim=1)
    return -((x - x[nearest]).norm(dim=1) + TINY).log().mean()


def alike(
    products: Float[Tensor, "k k"], among: Bool[Tensor, " k"], least: float
) -> list[list[int]]:
    """Pairs of prototypes whose cosine is above `least`, by the inner products of all of them."""
    norms = products.diagonal().sqrt()
    cosines = products / (norms[:, None] * norms).clamp_min(TINY)
    pairs = (cosines > least) & among[:, None] & among
    found: list[list[int]] = pairs.triu(diagonal=1).nonzero().tolist()
    return found
