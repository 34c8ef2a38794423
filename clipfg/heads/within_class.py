"""The covariance that all classes share, and how its shrinkage is chosen with few images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
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
from clipfg.heads.text_prior import posterior_means

SHRINKAGES = (0.5, 0.3, 0.7, 0.2, 0.1, 0.05, 0.9, 0.02)
"""The candidates."""
ONE_SHOT = 0.95
"""With one image per class the spread within classes is unknown. The whole support's stands in for
it, which is mostly spread between classes and therefore trusted little."""
_GROUPS = (20, 5)
"""Groups of classes that are set aside in turn. Few images need many groups, or the covariance that
is judged would come from markedly fewer images than the one used; with more than `_PLENTY` images
per channel it hardly changes, and few groups are faster."""
_PLENTY = 8

Score = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""From products `x.m` `[n, c]` and squares `x.x` `[n, 1]` and `m.m` `[c]` under the inverse
covariance, of images and class means less their common mean, and the logarithms of the classes'
shares `[c]`, to logits `[n, c]`."""
Root = Callable[[Tensor], Tensor]
"""A map after which plain products are those under an inverse covariance."""


@dataclass(frozen=True)
class SharedCovariance:
    """The covariance within classes of a support set, and scores under it on held-out images.

    `score` makes logits of products under the inverse covariance; `seed` is that of the folds. If
    `evened`, channels are first divided by their `channel_scales` in the support. `expected` are
    class means by the texts, with which those of images are mixed (`posterior_means`).
    """

    support: Support
    score: Score
    seed: int
    evened: bool = False
    expected: Float[Tensor, "c d"] | None = None

    @cached_property
    def spectrum(self) -> Spectrum:
        """Of the covariance within classes, or of the whole where no class has two images.

        Evened, the division is part of the vectors: they turn features as they are, and are not of
        length 1.
        """
        x, means = self.support.features, self.support.means
        scale = channel_scales(x) if self.evened else x.new_ones(x.shape[1])
        single = int(self.support.counts.max()) < 2
        x, means = x / scale, means / scale
        own = total_spectrum(x) if single else within_spectrum(x, self.support.labels, means)
        return own._replace(vectors=own.vectors / scale[:, None])

    @cached_property
    def rows(self) -> Int[Tensor, " m"]:
        """Positions of the held-out images to judge by; none with one shot."""
        return self.support.validation_rows(self.seed)

    def choose(self, shrinkages: Sequence[float]) -> float:
        """The mean of the shrinkages that classify held-out images about as well as the best.

        Among shrinkages that differ by a few images, the best is best by luck. With one shot or
        one class nothing can be held out: `ONE_SHOT`, or the only candidate.
        """
        if len(shrinkages) == 1:
            return shrinkages[0]
        if not len(self.rows) or self.support.classes < 2:
            return ONE_SHOT
        hits = self.rows.new_zeros(len(shrinkages), len(self.rows), dtype=torch.bool)
        for covariance, parts in self._by_group(self.rows):
            for i, shrinkage in enumerate(shrinkages):
                root = covariance.inverse_root(shrinkage)
                for part in parts:
                    labels = self.support.labels[self.rows[part.places]]
                    hits[i, part.places] = part.logits(self.score, root).argmax(dim=1) == labels
        good = about_as_good(hits).cpu()
        return float(torch.tensor(shrinkages, dtype=torch.float64)[good].mean())

    def held_out(self, shrinkage: float, rows: Int[Tensor, " m"]) -> Float[Tensor, "m c"]:
        """Logits of the support's images at `rows`, as `choose` judges them.

        Class means come from the other folds of all classes. The covariance comes from all images
        of *other classes* (groups of classes are set aside in turn): two shots leave one to train
        on, from which no class could estimate its spread.
        """
        found = self.support.features.new_zeros(len(rows), self.support.classes)
        for covariance, parts in self._by_group(rows):
            root = covariance.inverse_root(shrinkage)
            for part in parts:
                found[part.places] = part.logits(self.score, root)
        return found

    def _by_group(self, rows: Tensor) -> Iterator[tuple["_Covariance", list["_Part"]]]:
        """The covariance without each group of classes, and the group's images, fold by fold."""
        support, folds = self.support, self.support.folds(self.seed)
        vectors = self.spectrum.vectors.to(support.features.dtype)
        turned = support.features @ vectors
        expected = None if self.expected is None else self.expected @ vectors
        basis = Support(turned, support.labels, support.classes)
        trains = [basis.rows(folds != fold) for fold in range(int(folds.max()) + 1)]
        centres = [train.features.mean(dim=0) for train in trains]
        count = _GROUPS[len(support) > _PLENTY * turned.shape[1]]
        groups = support.labels % count
        for group in range(min(count, support.classes)):
            own = (groups[rows] == group).nonzero().flatten()
            if not len(own):
                continue
            covariance = _Covariance.without(basis, self.spectrum, groups == group)
            parts = []
            for fold, (train, centre) in enumerate(zip(trains, centres, strict=True)):
                places = own[folds[rows[own]] == fold]
                x = covariance.turn(turned[rows[places]] - centre)
                means = covariance.turn(posterior_means(train, expected) - centre)
                parts.append(_Part(places, x, means, (train.counts / len(train)).log()))
            yield covariance, parts


@dataclass(frozen=True)
class _Part:
    """Held-out images of a group in one fold, and the class means of the other folds.

    `places` are positions among the rows that are judged. Images and means are relative to the
    common mean, and turned as the group's covariance needs them.
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

    Leaving few images out subtracts their residuals `R` `[r, d]` from a covariance whose
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
