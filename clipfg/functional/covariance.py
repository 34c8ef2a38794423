"""Covariance within classes, and its inverse under shrinkage."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Spectrum(NamedTuple):
    """A covariance as eigenvalues, ascending, and eigenvectors in columns; float64."""

    values: Float[Tensor, " d"]
    vectors: Float[Tensor, "d d"]

    def shrunk(self, shrinkage: float) -> Float[Tensor, " d"]:
        """Eigenvalues of `(1 - s) S + s tr(S)/d I`, never below 1e-12."""
        mean = self.values.mean()
        return ((1 - shrinkage) * self.values + shrinkage * mean).clamp_min(1e-12)


def within_spectrum(
    x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], means: Float[Tensor, "c d"]
) -> Spectrum:
    """Of `1/n sum_i (x_i - mean of its class)(x_i - mean of its class)^T`."""
    return _spectrum(x.double() - means.double()[labels])


def total_spectrum(x: Float[Tensor, "n d"]) -> Spectrum:
    """Of `1/n sum_i (x_i - mean)(x_i - mean)^T`."""
    return _spectrum(x.double() - x.double().mean(dim=0))


def _spectrum(residuals: Tensor) -> Spectrum:
    values, vectors = torch.linalg.eigh(residuals.T @ residuals / len(residuals))
    return Spectrum(values.clamp_min(0), vectors)
