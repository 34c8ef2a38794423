"""Multinomial logistic regression with an L2 penalty, by preconditioned L-BFGS."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from clipfg.errors import DataError


class Linear(NamedTuple):
    """`logits = x @ weights.T + bias`."""

    weights: Float[Tensor, "c d"]
    bias: Float[Tensor, " c"]

    def __call__(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """The logits of rows."""
        return x @ self.weights.T + self.bias


def logistic_path(
    x: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    classes: int,
    costs: tuple[float, ...],
    iterations: int = 30,
    tolerance: float = 1e-5,
) -> list[Linear]:
    """The minimisers of `C sum_i -log p(y_i | x_i) + |W|^2 / 2`, one for each `C` of `costs`.

    That is scikit-learn's objective; the bias is not penalised. Each fit begins from the one
    before. `iterations` bounds L-BFGS's steps for each, `tolerance` is on the largest gradient.

    Features of CLIP lie in a narrow cone, in which the problem is badly conditioned. Centring
    moves only the bias. Then `W = V P` is solved for `V`, with `P = (S / c + I / Cn)^(-1/2)` and
    `S` the covariance of `x`: where all classes are equally likely the Hessian is close to `P^-2`.

    Raises `DataError` for no rows and costs that are not above 0.
    """
    if not len(x) or not costs or min(costs) <= 0:
        raise DataError(f"Expected rows and costs above 0, got {len(x)} rows and costs {costs}.")
    n = len(x)
    centre = x.mean(dim=0)
    values, vectors = torch.linalg.eigh((x - centre).double().T @ (x - centre).double() / n)
    spanned = values > values.max() * 1e-9  # of fewer rows than columns, all that W can lie in
    values, vectors = values[spanned], vectors[:, spanned]
    basis = (x - centre) @ vectors.to(x.dtype)
    spectrum = values.to(x.dtype)
    weights, bias = x.new_zeros(classes, basis.shape[1]), x.new_zeros(classes)
    path = []
    for cost in costs:
        scale = (spectrum / classes + 1 / (cost * n)).rsqrt()
        weights, bias = _minimise(
            basis, labels, weights, bias, scale, 1 / (cost * n), iterations, tolerance
        )
        turned = weights @ vectors.to(x.dtype).T
        path.append(Linear(turned, bias - turned @ centre))
    return path


def _minimise(
    x: Tensor,
    labels: Tensor,
    weights: Tensor,
    bias: Tensor,
    scale: Tensor,
    penalty: float,
    iterations: int,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    inner = (weights / scale).requires_grad_()
    shift = bias.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [inner, shift],
        max_iter=iterations,
        tolerance_grad=tolerance,
        tolerance_change=1e-12,
        history_size=10,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        full = inner * scale
        value = cross_entropy(x @ full.T + shift, labels) + 0.5 * penalty * full.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return (inner * scale).detach(), shift.detach()
