"""Affine scores as cosines: unit-norm weights whose dot products approximate them best."""

import torch
from jaxtyping import Float
from torch import Tensor

_STEPS = 100  # of bisection: each halves an interval, float64 has 53 bits
_EMPTY = 1e-9  # of the largest eigenvalue; below it is rounding


def spherical_fit(
    weights: Float[Tensor, "k d"], bias: Float[Tensor, " k"], features: Float[Tensor, "n d"]
) -> Float[Tensor, "k d"]:
    """`argmin_u sum_x (u.x - w.x - b)^2` with `|u| = 1`, for each row `w` with its `b`.

    Features on a sphere hardly vary along some directions. A weight may be longer or shorter along
    them at no cost, so that little is lost by unit norm and no bias.

    With `M` the second moment of the features and `m` their mean, the solution is
    `u = (M + h I)^(-1) (M w + b m)` with the only `h` above minus the least eigenvalue of `M` that
    makes `|u| = 1`; it is found by bisection, since `|u|` falls with `h`. If even the smallest `h`
    leaves `u` shorter, the missing length is added along the emptiest direction.

    Source: Moré and Sorensen 1983, Computing a trust region step, doi:10.1137/0904038 (the same
    equation; the last step is their "hard case").
    """
    x = features.double()
    return spherical_fit_to(weights, bias, x.T @ x / len(x), x.mean(dim=0))


def spherical_fit_to(
    weights: Float[Tensor, "k d"],
    bias: Float[Tensor, " k"],
    second: Float[Tensor, "d d"],
    mean: Float[Tensor, " d"],
) -> Float[Tensor, "k d"]:
    """`spherical_fit` on features of which only the second moment and the mean are known."""
    values, vectors = torch.linalg.eigh(second.double())
    values = values.clamp_min(0)
    aims = weights.double() @ vectors * values + bias.double()[:, None] * (mean.double() @ vectors)
    aims = aims * (values > _EMPTY * values[-1])
    low, high = -values[0].expand(len(aims)), aims.norm(dim=1)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        long = (aims / (values + middle[:, None])).norm(dim=1) > 1
        low, high = torch.where(long, middle, low), torch.where(long, high, middle)
    fitted = aims / (values + high[:, None]).clamp_min(torch.finfo(torch.double).tiny)
    missing = (1 - fitted.square().sum(dim=1)).clamp_min(0).sqrt()
    fitted[:, 0] += torch.where(fitted[:, 0] < 0, -missing, missing)
    return (fitted / fitted.norm(dim=1, keepdim=True) @ vectors.T).to(weights.dtype)
