"""Whitened mean: the nearest class mean by cosine, on directions weighted by what they tell."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.functional.covariance import Spectrum
from clipfg.functional.similarity import cosine_logits
from clipfg.heads.covariance_head import CovarianceHead
from clipfg.heads.support import Support
from clipfg.heads.text_prior import expected_means, posterior_means
from clipfg.heads.within_class import SHRINKAGES, SharedCovariance

ONE_SHOT = 1.0
"""With one image per class, spread within classes cannot be told from spread between them."""

_EVEN = 0.5
"""How far the spread between classes is assumed to be even, as there are few class means."""


@dataclass(eq=False)
class WhitenedMean(CovarianceHead):
    """`logits = scale * (cos(x, text) + alpha cos(P (x - m), P (mu_k - m)))`; texts where given.

    `P = diag(g) U^T S^(-1/2) C^-1`, with `mu_k` class means and `m` the mean of the support: each
    channel over its scale (`channel_scales`), and whitened by the shrunk covariance `S` within
    classes. In what results, `U` and `b` are the eigenvectors and eigenvalues of the covariance
    between classes, over the variance within. With `n` images per class,
    `g^2 = n b / (1 + (n + 1) b)`: the weight of a direction in products of an image and a class
    mean in the predictive density of the two-covariance model (probabilistic LDA). Unlike there,
    and in `gda`, lengths do not count: a mean of few images is longer in noisy directions, which
    distances punish and angles forgive. With one shot `P = C^-1`. With texts, they also count as
    images of their classes in `mu_k` (`text_prior`).

    Parameters are those of `CovarianceHead`; shrinkage is chosen before `g`.

    Attributes
    ----------
    centre_, projection_
        `m` of shape `[d]` and `P` of shape `[d, d]`, float32.
    weights_
        Unit-norm projected class means `[c, d]`.

    Source: this project's; whitening before cosines as in Huang et al. 2021, arXiv:2104.01767;
    the two-covariance model of Ioffe 2006, doi:10.1007/11744085_41.
    """

    name: ClassVar[str] = "whitened-mean"

    def learn(self, support: Support) -> None:
        """Estimate the covariance, project the means, weigh the images against the texts."""
        covariance = self.learn_projection(support)
        self.weights_ = self.turn(posterior_means(support, covariance.expected))
        self.learn_alpha(covariance, lambda: self.weights_ @ self.weights_.T)

    def learn_projection(self, support: Support) -> SharedCovariance:
        """Choose the shrinkage and set all but class means and their weight."""
        covariance = self.covariance(support)
        single = int(support.counts.max()) < 2
        self.learn_shrinkage(covariance, (ONE_SHOT,) if single else SHRINKAGES)
        self.projection_ = _projection(support, covariance.spectrum, self.shrinkage_).float()
        self.centre_ = support.features.mean(dim=0)
        self.texts_ = support.texts_or_zeros
        return covariance

    def covariance(self, support: Support) -> SharedCovariance:
        """With cosines, which leave out `g`: the class means of all folds decide it."""
        expected = expected_means(support)
        return SharedCovariance(support, _cosines, self.seed, evened=True, expected=expected)

    def held_out(self, support: Support, rows: Int[Tensor, " m"]) -> Float[Tensor, "m c"]:
        """Scaled as the logits are."""
        return self.scale * super().held_out(support, rows)

    def score(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Scaled cosines."""
        return cosine_logits(x, self.texts_, self.scale) + self.alpha_ * self.images(x)

    def images(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """What class means say, without the texts' own term."""
        return self.scale * self.turn(x) @ self.weights_.T

    def turn(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Projected rows, of unit norm."""
        return normalize((x - self.centre_) @ self.projection_, dim=1)


def _projection(support: Support, spectrum: Spectrum, shrinkage: float) -> Tensor:
    """`P^T` `[d, d]`, without `g` where spread between classes cannot be told from that within."""
    shrunk = spectrum.shrunk(shrinkage)
    whitening = spectrum.vectors / shrunk.sqrt()
    images, classes, width = len(support), support.classes, len(shrunk)
    if images == classes or classes < 2:
        return whitening
    shots = images / classes
    within = float((spectrum.values / shrunk).mean()) * images / (images - classes)
    means = (support.means - support.features.mean(dim=0)).double() @ whitening
    identity = torch.eye(width, dtype=means.dtype, device=means.device)
    between = means.T @ means / (classes - 1) / within - identity / shots
    level = between.diagonal().mean()
    ratios, directions = torch.linalg.eigh((1 - _EVEN) * between + _EVEN * level * identity)
    ratios = shots * ratios.clamp_min(1e-3)
    weights = ratios / (1 + ratios * (1 + 1 / shots))
    return whitening @ directions * weights.sqrt()


def _cosines(products: Tensor, of_x: Tensor, of_means: Tensor, _: Tensor) -> Tensor:
    return products / (of_x * of_means).clamp_min(1e-12).sqrt()
