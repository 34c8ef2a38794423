"""Gaussian discriminant analysis: one shrunk covariance for all classes, beside the texts."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from clipfg.functional.similarity import cosine_logits
from clipfg.heads.covariance_head import CovarianceHead
from clipfg.heads.support import Support
from clipfg.heads.within_class import SharedCovariance


@dataclass(eq=False)
class GDA(CovarianceHead):
    """`logits = scale * cos(x, text) + alpha (x.w_k + b_k)`; without texts the second term alone.

    `w_k = S^-1 mu_k` and `b_k = log pi_k - mu_k.w_k / 2`, with `mu` class means, `pi` class shares
    of the support and `S` the covariance within classes, shrunk: `(1 - s) S + s tr(S)/d I`.
    Without texts it is linear discriminant analysis, as in scikit-learn's `lsqr` solver.

    Parameters are those of `CovarianceHead`.

    Attributes
    ----------
    weights_, bias_
        `[c, d]` and `[c]`, float32, texts and images summed.

    Source: Wang et al. 2024, arXiv:2402.04087, equations 3 to 7, with the shrinkage chosen.
    """

    name: ClassVar[str] = "gda"

    def learn(self, support: Support) -> None:
        """Estimate and invert the covariance, then weigh the images against the texts."""
        covariance = self.covariance(support)
        self.learn_shrinkage(covariance)
        means, vectors = support.means.double(), covariance.spectrum.vectors
        weights = (means @ vectors / covariance.spectrum.shrunk(self.shrinkage_)) @ vectors.T
        shares = support.counts.double() / len(support)
        bias = shares.log() - 0.5 * (means * weights).sum(dim=1)
        self.learn_alpha(covariance, lambda: means @ weights.T + bias, unit=self.scale)
        self.weights_ = self.alpha_ * weights.float() + self.scale * support.texts_or_zeros
        self.bias_ = self.alpha_ * bias.float()

    def covariance(self, support: Support) -> SharedCovariance:
        """With Gaussian log-likelihoods, but for what is the same for all classes."""
        return SharedCovariance(support, _logits, self.seed)

    def score(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Discriminants."""
        return cosine_logits(x, self.weights_) + self.bias_


def _logits(products: Tensor, _: Tensor, squares: Tensor, log_shares: Tensor) -> Tensor:
    return products + log_shares - 0.5 * squares
