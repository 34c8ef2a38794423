"""Discriminant in one pass: it needs sums over the items, and KeCO's keys as clusters."""

from copy import copy
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.coresets.base import CoresetKeys
from clipfg.coresets.discriminant import SHARES, SHRINKAGES, Subclasses, count_hits, fitted_keys
from clipfg.coresets.keco import Target
from clipfg.coresets.keco_online import KeCOOnline
from clipfg.functional.covariance import scatter, spectrum

EVERY = 5
"""Of each class's items after those that keys start from, every fifth is set aside."""
MOST = 2048
"""Items set aside, at most."""


class Moments:
    """What one pass adds up: items and sums of each class, and the sum of `x x^T`.

    It takes `d^2 + c d` numbers, and `MOST` items set aside to choose settings by, however many
    items there are. `counts` `[c]`, `sums` `[c, d]` and `second` `[d, d]` are float64, and without
    the items that are set aside.
    """

    def __init__(self, width: int, per_class: int) -> None:
        self.per_class = per_class
        self.counts = torch.zeros(0, dtype=torch.double)
        self.sums = torch.zeros(0, width, dtype=torch.double)
        self.second = torch.zeros(width, width, dtype=torch.double)
        self.x = torch.zeros(0, width)
        self.labels = torch.zeros(0, dtype=torch.long)
        self._seen = torch.zeros(0, dtype=torch.long)

    def take(self, x: Float[Tensor, "b d"], labels: Int[Tensor, " b"]) -> Bool[Tensor, " b"]:
        """Add a batch, which may bring new classes; which of its items are set aside."""
        x, labels = x.float().cpu(), labels.cpu()
        places = places_within(labels)
        self._seen = _longer(self._seen, int(labels.max()) + 1)
        places += self._seen[labels] - self.per_class
        self._seen += torch.bincount(labels, minlength=len(self._seen))
        aside = (places >= 0) & (places % EVERY == EVERY - 1)
        aside &= aside.cumsum(dim=0) <= MOST - len(self.x)
        self.x, self.labels = torch.cat((self.x, x[aside])), torch.cat((self.labels, labels[aside]))
        self.add(x[~aside], labels[~aside])
        return aside

    def add(self, x: Float[Tensor, "b d"], labels: Int[Tensor, " b"]) -> None:
        """Add all of some items."""
        if len(x):
            most = int(labels.max()) + 1
            ones = torch.ones(len(x), dtype=torch.double)
            self.counts = _longer(self.counts, most).index_add(0, labels, ones)
            self.sums = _longer(self.sums, most).index_add(0, labels, x.double())
            self.second = self.second + scatter(x.double())

    def describe(self, centres: Float[Tensor, "m d"], labels: Int[Tensor, " m"]) -> Subclasses:
        """The classes that have items, numbered from 0, and their clusters."""
        classes, owners = labels.cpu().unique(return_inverse=True)
        n, counts = self.counts.sum(), self.counts[classes, None]
        means = self.sums[classes] / counts
        around = (self.second - (counts * means).T @ means) / n
        middle = means.mean(dim=0)
        apart = centres.double().cpu() - middle
        return Subclasses(middle, means - middle, apart, owners, spectrum(around))


@dataclass(eq=False)
class DiscriminantOnline(KeCOOnline):
    """The keys of `discriminant`, of items that are seen once.

    Class means and the covariance within classes follow from sums (`Moments`), and so does the
    spherical fit. The clusters `nu_j` are the keys of `keco-online`, each item moving the nearest.
    `shrinkage` and `share` are those of `discriminant`; None chooses both by the items set aside,
    which join the sums thereafter, and takes the first candidates where there are none. The other
    parameters are those of `KeCO`; exemplars are, as there, what keys started from.
    """

    name: ClassVar[str] = "discriminant-online"
    targets: ClassVar[tuple[str, ...]] = ()

    target: Target = "most"
    shrinkage: float | None = None
    share: float | None = None

    def _condense(
        self, features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], per_class: int
    ) -> CoresetKeys:
        moments = Moments(features.shape[1], per_class)
        rest = (~moments.take(features, labels)).nonzero().flatten().to(labels.device)
        moved = super()._condense(features[rest], labels[rest], per_class)
        keys = self.finish(moments, moved.keys, moved.labels)
        return CoresetKeys(keys, moved.labels, rest[moved.exemplars])

    def finish(
        self, moments: Moments, centres: Float[Tensor, "m d"], labels: Int[Tensor, " m"]
    ) -> Float[Tensor, "m d"]:
        """Keys of the clusters `centres` of the classes `labels`, of which each has one or more.

        The centres themselves where there is nothing to tell apart, as in `discriminant`.
        """
        classes = labels.cpu().unique()
        if len(classes) < 2 or float(moments.counts.max()) < 2:
            return centres
        aside = torch.searchsorted(classes, moments.labels)
        shrinkage, share = self._choose(moments.describe(centres, labels), moments.x, aside)
        whole = copy(moments)
        whole.add(moments.x, moments.labels)
        parts, n = whole.describe(centres, labels), whole.counts.sum()
        mean = whole.sums.sum(dim=0) / n
        return fitted_keys(parts, whole.second / n, mean, shrinkage, share).to(centres)

    def _choose(self, parts: Subclasses, x: Tensor, labels: Tensor) -> tuple[float, float]:
        shrinkages = SHRINKAGES if self.shrinkage is None else (self.shrinkage,)
        shares = SHARES if self.share is None else (self.share,)
        if not len(x):
            return shrinkages[0], shares[0]
        hits = [count_hits(parts, x, labels, shrinkage, shares) for shrinkage in shrinkages]
        best = int(torch.stack(hits).argmax())  # of equal ones the first
        return shrinkages[best // len(shares)], shares[best % len(shares)]


def places_within(labels: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """How many items of the same class come before each."""
    counts = torch.bincount(labels)
    order = torch.sort(labels, stable=True).indices
    places = torch.empty_like(labels)
    places[order] = torch.arange(len(labels)) - (counts.cumsum(0) - counts)[labels[order]]
    return places


def _longer(rows: Tensor, most: int) -> Tensor:
    """With rows of zeros behind, so that there are `most` at least."""
    more = max(most - len(rows), 0)
    return torch.cat((rows, rows.new_zeros(more, *rows.shape[1:])))
