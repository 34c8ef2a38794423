"""Multinomial logistic regression with an L2 penalty, by preconditioned L-BFGS."""

from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Basis:
    """Rows in the directions of their own covariance, decomposed once for many fits.

    CLIP's features lie in a narrow cone, in which the problem is badly conditioned. Centring
    changes only the bias. Then `W = V P` is solved for `V`, with `P = (S / c + I / Cn)^(-1/2)` and
    `S` the covariance of `x`: where all classes are equally likely the Hessian is close to `P^-2`.
    """

    rows: Float[Tensor, "n r"]
    centre: Float[Tensor, " d"]
    spectrum: Float[Tensor, " r"]
    vectors: Float[Tensor, "d r"]

    @classmethod
    def of(cls, x: Float[Tensor, "n d"]) -> "Basis":
        """Decompose the covariance. Raises `DataError` for no rows."""
        if not len(x):
            raise DataError("Expected rows to fit a logistic regression to, got none.")
        centre = x.mean(dim=0)
        centred = x - centre
        values, vectors = torch.linalg.eigh(centred.double().T @ centred.double() / len(x))
        spanned = values > values.max() * 1e-9  # with fewer rows than columns, W lies in their span
        vectors = vectors[:, spanned].to(x.dtype)
        return cls(centred @ vectors, centre, values[spanned].to(x.dtype), vectors)

    def part(self, which: Tensor) -> "Basis":
        """Some of the rows, in the same directions and with the same spectrum.

        The other rows affect where a fit begins and how fast it converges, not where it ends.
        """
        return replace(self, rows=self.rows[which])

    def path(
        self,
        labels: Int[Tensor, " n"],
        classes: int,
        costs: tuple[float, ...],
        iterations: int = 30,
        tolerance: float = 1e-5,
    ) -> list[Linear]:
        """The minimisers of `C sum_i -log p(y_i | x_i) + |W|^2 / 2`, one for each `C` of `costs`.

        That is scikit-learn's objective; the bias is not penalised. Each fit begins from the one
        before. `iterations` bounds the L-BFGS steps of each, `tolerance` the largest gradient.

        Raises `DataError` for no rows and for costs that are not positive.
        """
        n = len(self.rows)
        if not n or not costs or min(costs) <= 0:
            raise DataError(f"Expected rows and costs above 0, got {n} rows and costs {costs}.")
        zeros = self.rows.new_zeros
        linear = Linear(zeros(classes, self.rows.shape[1]), zeros(classes))
        path = []
        for cost in costs:
            linear = self._minimise(labels, linear, cost, iterations, tolerance)
            turned = linear.weights @ self.vectors.T
            path.append(Linear(turned, linear.bias - turned @ self.centre))
        return path

    def _minimise(
        self, labels: Tensor, start: Linear, cost: float, iterations: int, tolerance: float
    ) -> Linear:
        penalty = 1 / (cost * len(self.rows))
        scale = (self.spectrum / len(start.bias) + penalty).rsqrt()
        inner = (start.weights / scale).requires_grad_()
        shift = start.bias.clone().requires_grad_()
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
            own = Linear(inner * scale, shift)
            decay = 0.5 * penalty * own.weights.square().sum()
            value = cross_entropy(own(self.rows), labels) + decay
            value.backward()
            return value

        optimiser.step(loss)
        return Linear((inner * scale).detach(), shift.detach())
