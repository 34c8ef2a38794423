"""Covariance within classes, and its inverse under shrinkage."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

_ROWS = 1024  # multiplied at a time; sums over more rows are taken in float64
_STEADY = 20
"""Rows that the mean variance of all channels counts as, beside a channel's own."""


class Spectrum(NamedTuple):
    """A covariance as eigenvalues, ascending, and eigenvectors in columns; float64."""

    values: Float[Tensor, " d"]
    vectors: Float[Tensor, "d d"]

    def shrunk(self, shrinkage: float) -> Float[Tensor, " d"]:
        """Eigenvalues of `(1 - s) S + s tr(S)/d I`, never below 1e-12."""
        mean = self.values.mean()
        return ((1 - shrinkage) * self.values + shrinkage * mean).clamp_min(1e-12)


def channel_scales(x: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    """Square roots of the channels' standard deviations: dividing by them standardises halfway.

    In CLIP a few channels have ten times the variance of most, and would dominate every distance.
    Variances of few rows are shrunk towards their mean.
    """
    variances = x.var(dim=0, correction=0)
    drawn = (len(x) * variances + _STEADY * variances.mean()) / (len(x) + _STEADY)
    return drawn.clamp_min(1e-12) ** 0.25


def scatter(residuals: Float[Tensor, "n d"]) -> Float[Tensor, "d d"]:
    """`sum_i r_i r_i^T` in float64."""
    width = residuals.shape[1]
    total = torch.zeros(width, width, dtype=torch.float64, device=residuals.device)
    for block in residuals.split(_ROWS):
        total += block.T @ block
    return total


def spectrum(covariance: Float[Tensor, "d d"]) -> Spectrum:
    """The eigenvalues and eigenvectors of a covariance."""
    values, vectors = torch.linalg.eigh(covariance)
    return Spectrum(values.clamp_min(0), vectors)


def within_spectrum(
    x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], means: Float[Tensor, "c d"]
) -> Spectrum:
    """Of `1/n sum_i (x_i - mean of its class)(x_i - mean of its class)^T`."""
    return spectrum(scatter(x - means[labels]) / len(x))


def total_spectrum(x: Float[Tensor, "n d"]) -> Spectrum:
    """Of `1/n sum_i (x_i - mean)(x_i - mean)^T`."""
    return spectrum(scatter(x - x.mean(dim=0)) / len(x))
