"""Discriminant: keys that tell classes apart, rather than keys that represent them."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.coresets.base import Coreset, CoresetKeys, nearest_distinct, rows_by_class
from clipfg.coresets.k_means import KMeans
from clipfg.functional.covariance import Spectrum, within_spectrum
from clipfg.functional.folds import stratified_folds
from clipfg.functional.kmeans import kmeans
from clipfg.functional.spherical_fit import spherical_fit_to

SHRINKAGES = (0.3, 0.5, 0.1, 0.7, 0.2, 1.0)
SHARES = (0.3, 0.0, 0.6, 1.0)
"""The candidates; of equally good ones the earlier is taken."""
FOLDS = 5
_HELD = 2048  # held-out items of each fold that are scored: five times that is enough


@dataclass(eq=False)
class Discriminant(Coreset):
    """Keys whose cosines come nearest to the scores of a shrunk subclass discriminant.

    A class is described by `c_j = (1 - r) mu + r nu_j`: its mean `mu`, and the centres `nu_j` of
    its k-means clusters. An image `x` is scored by the cosine between `P (x - g)` and
    `P (c_j - g)`, with `g` the mean of class means and `P = S^(-1/2)` of the covariance within
    classes, shrunk: `(1 - s) S + s tr(S)/d I`. But for a factor that all keys share, that is affine
    in `x`, and `spherical_fit` gives the unit-norm keys that reproduce it: the search stays a plain
    cosine with plain features. Keys keep the spread of class means, so cosines stay comparable.

    An exemplar is the real item nearest to its `c_j`. Where there is nothing to tell apart (one
    class, or one item in each) this is `k-means`.

    Parameters
    ----------
    shrinkage, share
        `s` and `r`, from 0 to 1. None chooses both by seeded folds of the items: those whose
        scores classify most held-out items correctly, of at most 2,048 in each fold.
    seed
        Random seed of the folds and of k-means.

    Source: this project's. Subclasses in a discriminant: Zhu and Martinez 2006,
    doi:10.1109/TPAMI.2006.172; shrinkage: Friedman 1989, doi:10.1080/01621459.1989.10478752.
    """

    name: ClassVar[str] = "discriminant"

    shrinkage: float | None = None
    share: float | None = None
    seed: int = 0

    def _condense(self, features: Tensor, labels: Tensor, per_class: int) -> CoresetKeys:
        return self._condense_whole(features, labels, per_class, None)

    def _condense_whole(
        self, features: Tensor, labels: Tensor, per_class: int, groups: Tensor | None
    ) -> CoresetKeys:
        classes, dense, counts = labels.unique(return_inverse=True, return_counts=True)
        if len(classes) < 2 or int(counts.max()) < 2:
            return KMeans(self.seed).condense(features, labels, per_class)
        shrinkage, share = self._choose(features, dense, per_class, groups)
        parts = Subclasses.of(features, dense, per_class, self.seed)
        x = features.double()
        keys = fitted_keys(parts, x.T @ x / len(x), x.mean(dim=0), shrinkage, share)
        centres = parts.mixed(share)
        nearest = [
            rows[nearest_distinct(features[rows], centres[parts.owners == label])]
            for label, rows in enumerate(rows_by_class(dense))
        ]
        exemplars = torch.cat(nearest)
        return CoresetKeys(keys, labels[exemplars], exemplars)

    def _choose(
        self, features: Tensor, labels: Tensor, per_class: int, together: Tensor | None
    ) -> tuple[float, float]:
        shrinkages = SHRINKAGES if self.shrinkage is None else (self.shrinkage,)
        shares = SHARES if self.share is None else (self.share,)
        folds = stratified_folds(labels, self.seed, FOLDS, together)
        right = torch.zeros(len(shrinkages), len(shares), dtype=torch.long)
        for fold in range(int(folds.max()) + 1):
            held, kept = folds == fold, folds != fold
            if int(torch.bincount(labels[kept]).max()) < 2:
                continue  # nothing is left to estimate the spread within classes from
            groups = Subclasses.of(features[kept], labels[kept], per_class, self.seed)
            rows = held.nonzero().flatten()
            generator = torch.Generator().manual_seed(self.seed)
            some = rows[torch.randperm(len(rows), generator=generator)[:_HELD].to(rows.device)]
            for i, shrinkage in enumerate(shrinkages):
                right[i] += count_hits(groups, features[some], labels[some], shrinkage, shares)
        best = int(right.argmax())  # of equal ones the first
        return shrinkages[best // len(shares)], shares[best % len(shares)]


class Subclasses(NamedTuple):
    """Classes as means and clusters, relative to the mean of class means.

    `owners` `[m]` are the classes of the clusters.
    """

    middle: Float[Tensor, " d"]
    means: Float[Tensor, "c d"]
    centres: Float[Tensor, "m d"]
    owners: Int[Tensor, " m"]
    spectrum: Spectrum

    @classmethod
    def of(cls, x: Tensor, labels: Tensor, per_class: int, seed: int) -> "Subclasses":
        """Describe classes labelled from 0, each with an item or more."""
        generator = torch.Generator().manual_seed(seed)
        means, centres, owners = [], [], []
        for label, rows in enumerate(rows_by_class(labels)):
            means.append(x[rows].mean(dim=0))
            centres.append(kmeans(x[rows], min(per_class, len(rows)), generator).centres)
            owners += [label] * len(centres[-1])
        mean = torch.stack(means)
        middle = mean.mean(dim=0)
        spectrum = within_spectrum(x, labels, mean)
        owner = torch.tensor(owners, device=x.device)
        return cls(middle, mean - middle, torch.cat(centres) - middle, owner, spectrum)

    def mixed(self, share: float) -> Float[Tensor, "m d"]:
        """`c_j - g`."""
        return torch.lerp(self.means[self.owners], self.centres, share)


def count_hits(
    groups: Subclasses, x: Tensor, labels: Tensor, shrinkage: float, shares: tuple[float, ...]
) -> Int[Tensor, " shares"]:
    """How many items `P (x - g) . unit(P (c_j - g))` classifies correctly, for each share.

    Every share is a mixture of the same two products, with the means and with the centres.
    """
    projection = groups.spectrum.vectors / groups.spectrum.shrunk(shrinkage).sqrt()
    projection = projection.to(groups.means)
    means, centres, owners = groups.means @ projection, groups.centres @ projection, groups.owners
    turned = (x.to(groups.means) - groups.middle) @ projection
    to_means = (turned @ means.T).index_select(1, owners)
    to_centres = turned @ centres.T
    hits = []
    for share in shares:
        lengths = _norms(torch.lerp(means[owners], centres, share))
        cosines = torch.lerp(to_means, to_centres, share).div_(lengths)
        hits.append(int((owners[cosines.argmax(dim=1)] == labels).sum()))
    return torch.tensor(hits)


def fitted_keys(
    groups: Subclasses,
    second: Float[Tensor, "d d"],
    mean: Float[Tensor, " d"],
    shrinkage: float,
    share: float,
) -> Float[Tensor, "m d"]:
    """Unit keys fitted to the scores' weights and biases, at the spread of the `c_j` around `g`.

    `second` and `mean` are moments of the features (`spherical_fit_to`).
    """
    mixed = groups.mixed(share)
    basis, values = (
        part.to(mixed) for part in (groups.spectrum.vectors, groups.spectrum.shrunk(shrinkage))
    )
    turned = mixed @ basis
    weights = (turned / values / _norms(turned / values.sqrt())[:, None]) @ basis.T
    weights = weights - weights.mean(dim=0)
    weights = weights * (_norms(mixed).mean() / _norms(weights).mean())
    return spherical_fit_to(groups.middle + weights, -weights @ groups.middle, second, mean)


def _norms(rows: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows, dim=1).clamp_min(torch.finfo(rows.dtype).tiny)
