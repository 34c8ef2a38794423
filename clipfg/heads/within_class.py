"""The covariance that all classes share, and how its shrinkage is judged with few images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clipfg.functional.covariance import (
    Spectrum,
    channel_scales,
    scatter,
    spectrum,
    total_spectrum,
    within_spectrum,
)
from clipfg.heads.support import Support, about_as_good

SHRINKAGES = (0.5, 0.3, 0.7, 0.2, 0.1, 0.05, 0.9, 0.02)
"""Those tried."""
ONE_SHOT = 0.95
"""With one image a class, spread within classes is unknown: the whole support's stands in for
it, which is mostly spread between classes, and is therefore trusted little."""
_GROUPS = (20, 5)
"""Of classes set aside in turn. With few images many groups, or the covariance that is judged
would come from markedly fewer than the one used; with more than `_PLENTY` a channel it is the same,
and few are quicker."""
_PLENTY = 8

Score = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""From products `x.m` `[n, c]` and squares `x.x` `[n, 1]` and `m.m` `[c]` under the inverse
covariance, of images and class means less their common mean, and the logarithms of the classes'
shares `[c]`, to logits `[n, c]`."""
Root = Callable[[Tensor], Tensor]
"""A map after which plain products are those under an inverse covariance."""


def spectrum_of(support: Support, evened: bool = False) -> Spectrum:
    """Of the covariance within classes, or of the whole where no class has two images.

    Evened, it is that of channels divided by their `channel_scales` in the support. The division
    is part of the vectors, which turn features as they are and are not of length 1 then.
    """
    x, means = support.features, support.means
    scale = channel_scales(x) if evened else x.new_ones(x.shape[1])
    single = int(support.counts.max()) < 2
    x, means = x / scale, means / scale
    own = total_spectrum(x) if single else within_spectrum(x, support.labels, means)
    return own._replace(vectors=own.vectors / scale[:, None])


def choose(
    support: Support,
    whole: Spectrum,
    score: Score,
    shrinkages: Sequence[float],
    seed: int,
) -> float:
    """The mean of the shrinkages that name about as many held-out images rightly as the best.

    Of several that differ by a few images the best is best by luck. `whole` is
    `spectrum_of(support)`. With one shot or one class nothing can be held out: `ONE_SHOT` (or the
    only value).
    """
    rows = support.judged(seed)
    if len(shrinkages) == 1:
        return shrinkages[0]
    if not len(rows) or support.classes < 2:
        return ONE_SHOT
    hits = torch.zeros(len(shrinkages), len(rows), dtype=torch.bool, device=rows.device)
    for covariance, parts in _by_group(support, whole, rows, seed):
        for i, shrinkage in enumerate(shrinkages):
            root = covariance.inverse_root(shrinkage)
            for part in parts:
                labels = support.labels[rows[part.places]]
                hits[i, part.places] = part.logits(score, root).argmax(dim=1) == labels
    good = about_as_good(hits).cpu()
    return float(torch.tensor(shrinkages, dtype=torch.float64)[good].mean())


def held_out_logits(
    support: Support, whole: Spectrum, score: Score, shrinkage: float, rows: Tensor, seed: int
) -> Tensor:
    """Logits `[m, c]` of the support's images at `rows`, as `choose` judges them.

    Class means come from the other folds of all classes. The covariance comes from all images of
    *other classes* (a group of classes is set aside in turn): two shots leave one to train on, of
    which no class could tell its spread.
    """
    found = support.features.new_zeros(len(rows), support.classes)
    for covariance, parts in _by_group(support, whole, rows, seed):
        root = covariance.inverse_root(shrinkage)
        for part in parts:
            found[part.places] = part.logits(score, root)
    return found


def _by_group(
    support: Support, whole: Spectrum, rows: Tensor, seed: int
) -> Iterator[tuple["_Covariance", list["_Part"]]]:
    """The covariance without each group of classes, and the group's images, fold by fold."""
    folds = support.folds(seed)
    turned = support.features @ whole.vectors.to(support.features.dtype)
    basis = Support(turned, support.labels, support.classes)
    trains = [_Train.of(basis.rows(folds != fold)) for fold in range(int(folds.max()) + 1)]
    count = _GROUPS[len(support) > _PLENTY * turned.shape[1]]
    groups = support.labels % count
    for group in range(min(count, support.classes)):
        own = (groups[rows] == group).nonzero().flatten()
        if not len(own):
            continue
        covariance = _Covariance.without(basis, whole, groups == group)
        parts = []
        for fold, train in enumerate(trains):
            places = own[folds[rows[own]] == fold]
            given = (turned[rows[places]], train.means)
            x, means = (covariance.turn(each - train.centre) for each in given)
            parts.append(_Part(places, x, means, train.log_shares))
        yield covariance, parts


@dataclass(frozen=True)
class _Train:
    """What the other folds say: class means `[c, d]`, their common mean, the classes' shares."""

    means: Tensor
    centre: Tensor
    log_shares: Tensor

    @classmethod
    def of(cls, part: Support) -> "_Train":
        shares = (part.counts / len(part)).log()
        return cls(part.means, part.features.mean(dim=0), shares)


@dataclass(frozen=True)
class _Part:
    """Held-out images of a group in one fold, and the class means of the other folds.

    `places` are those of the images among the rows that are judged. Both are less the common mean
    and turned as the group's covariance needs them.
    """

    places: Tensor
    x: Tensor
    means: Tensor
    log_shares: Tensor

    def logits(self, score: Score, root: Root) -> Tensor:
        x, means = root(self.x), root(self.means)
        squares = x.square().sum(dim=1, keepdim=True), means.square().sum(dim=1)
        return score(x @ means.T, *squares, self.log_shares)


@dataclass(frozen=True)
class _Covariance:
    """`diag(values) - R^T R / count`, after rows are turned by `vectors` where there are any.

    Leaving few images out takes their residuals `R` `[r, d]` away from a covariance whose
    eigenvectors are known, and costs no decomposition of its own.
    """

    values: Tensor
    count: int
    residuals: Tensor
    vectors: Tensor | None = None

    @classmethod
    def without(cls, basis: Support, whole: Spectrum, aside: Tensor) -> "_Covariance":
        """Of all classes but those set aside; `basis` is the support turned by `whole`."""
        x, labels = basis.features, basis.labels
        if not bool((basis.counts[labels[~aside]] > 1).any()):
            # only the classes set aside have two images
            return cls._decomposed(total_spectrum(x), x)
        pairs = aside & (basis.counts[labels] > 1)
        residuals = x[pairs] - basis.means[labels[pairs]]
        count = int((~aside).sum())
        if len(residuals) < x.shape[1] // 2:
            return cls(whole.values * (len(x) / count), count, residuals.double())
        left = torch.diag(whole.values * len(x)) - scatter(residuals)
        return cls._decomposed(spectrum(left / count), x)

    @classmethod
    def _decomposed(cls, own: Spectrum, x: Tensor) -> "_Covariance":
        return cls(own.values, 1, x.new_zeros(0, x.shape[1]).double(), own.vectors.to(x.dtype))

    def turn(self, rows: Tensor) -> Tensor:
        return rows if self.vectors is None else rows @ self.vectors

    def inverse_root(self, shrinkage: float) -> Root:
        """Of the shrunk covariance.

        With `D` the shrunk diagonal and `A = R D^(-1/2) ((1 - s) / count)^(1/2)`, Woodbury's
        identity has `(D - A'A')^-1 = D^-1 + D^(-1/2) A^T (I - A A^T)^-1 A D^(-1/2)`: rows times
        `D^(-1/2)`, and beside them times `A^T L^-T` with `L L^T = I - A A^T`.
        """
        residuals, width = self.residuals, len(self.values)
        trace = self.values.sum() - residuals.square().sum() / self.count
        diagonal = (1 - shrinkage) * self.values + shrinkage * trace / width
        scale = diagonal.clamp_min(1e-12).rsqrt()
        a = residuals * scale * ((1 - shrinkage) / self.count) ** 0.5
        identity = torch.eye(len(a), dtype=a.dtype, device=a.device)
        lower = torch.linalg.cholesky((1 + 1e-9) * identity - a @ a.T)
        more = torch.linalg.solve_triangular(lower, a, upper=False).T.float()

        def root(rows: Tensor) -> Tensor:
            scaled = rows * scale.to(rows.dtype)
            return torch.cat((scaled, scaled @ more), dim=1) if len(a) else scaled

        return root
