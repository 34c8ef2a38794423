"""Discriminant in one pass: it needs sums over the items, and KeCO's keys as clusters."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.coresets.base import CoresetKeys
from clipfg.coresets.discriminant import Subclasses, fitted_keys
from clipfg.coresets.keco import Target
from clipfg.coresets.keco_online import KeCOOnline
from clipfg.functional.covariance import scatter, spectrum


class Moments:
    """What one pass adds up: items and sums of each class, and the sum of `x x^T`.

    It takes `d^2 + c d` numbers, however many items there are. `counts` `[c]`, `sums` `[c, d]` and
    `second` `[d, d]` are float64.
    """

    def __init__(self, width: int) -> None:
        self.counts = torch.zeros(0, dtype=torch.double)
        self.sums = torch.zeros(0, width, dtype=torch.double)
        self.second = torch.zeros(width, width, dtype=torch.double)

    def take(self, x: Float[Tensor, "b d"], labels: Int[Tensor, " b"]) -> None:
        """Add a batch, which may bring new classes."""
        more = max(int(labels.max()) + 1 - len(self.counts), 0)
        self.counts = torch.cat((self.counts, self.counts.new_zeros(more)))
        self.sums = torch.cat((self.sums, self.sums.new_zeros(more, self.sums.shape[1])))
        x, labels = x.double().cpu(), labels.cpu()
        self.counts.index_add_(0, labels, x.new_ones(len(x)))
        self.sums.index_add_(0, labels, x)
        self.second += scatter(x)


@dataclass(eq=False)
class DiscriminantOnline(KeCOOnline):
    """The keys of `discriminant`, of items that are seen once.

    Class means and the covariance within classes follow from sums (`Moments`), and so does the
    spherical fit. The clusters `nu_j` are the keys of `keco-online`, each item moving the nearest.
    `shrinkage` and `share` are those of `discriminant`, but given: nothing is left to choose by.
    The other parameters are those of `KeCO`, of exemplars too: images that keys started from.
    """

    name: ClassVar[str] = "discriminant-online"
    targets: ClassVar[tuple[str, ...]] = ()

    target: Target = "most"
    shrinkage: float = 0.3
    share: float = 0.3

    def _condense(
        self, features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], per_class: int
    ) -> CoresetKeys:
        moved = super()._condense(features, labels, per_class)
        moments = Moments(features.shape[1])
        moments.take(features, labels)
        return replace(moved, keys=self.finish(moments, moved.keys, moved.labels))

    def finish(
        self, moments: Moments, centres: Float[Tensor, "m d"], labels: Int[Tensor, " m"]
    ) -> Float[Tensor, "m d"]:
        """Keys of the clusters `centres` of the classes `labels`, of which each has one or more.

        The centres themselves where there is nothing to tell apart, as in `discriminant`.
        """
        counts = moments.counts
        if int((counts > 0).sum()) < 2 or float(counts.max()) < 2:
            return centres
        classes, owners = labels.cpu().unique(return_inverse=True)
        n, means = counts.sum(), moments.sums[classes] / counts[classes, None]
        around = (moments.second - (counts[classes, None] * means).T @ means) / n
        middle = means.mean(dim=0)
        apart = centres.double().cpu() - middle
        parts = Subclasses(middle, means - middle, apart, owners, spectrum(around))
        mean = moments.sums.sum(dim=0) / n
        return fitted_keys(parts, moments.second / n, mean, self.shrinkage, self.share).to(centres)
