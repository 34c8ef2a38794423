"""Gaussian discriminant analysis: one shrunk covariance for all classes, beside the texts."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor

from clipfg.functional.similarity import cosine_logits
from clipfg.heads.few_shot import FewShotHead
from clipfg.heads.support import Support
from clipfg.heads.text_weighting import share_of_images
from clipfg.heads.within_class import SHRINKAGES, SharedCovariance


@dataclass(eq=False)
class GDA(FewShotHead):
    """`logits = scale * cos(x, text) + alpha (x.w_k + b_k)`; without texts the second term alone.

    `w_k = S^-1 mu_k` and `b_k = log pi_k - mu_k.w_k / 2`, with `mu` class means, `pi` class shares
    of the support and `S` the covariance within classes, shrunk: `(1 - s) S + s tr(S)/d I`.
    Without texts it is linear discriminant analysis, as in scikit-learn's `lsqr` solver.

    Parameters
    ----------
    shrinkage
        `s`, from 0 to 1. None chooses by seeded folds of the support (`SharedCovariance.choose`).
    alpha
        The factor beside the texts. None measures it (`share_of_images`); 1 without texts.
    scale
        The factor on cosines with texts.
    seed
        Random seed of the folds.

    Attributes
    ----------
    weights_, bias_
        `[c, d]` and `[c]`, float32, texts and images summed.
    shrinkage_, alpha_
        Those in use.

    Source: Wang et al. 2024, arXiv:2402.04087, equations 3 to 7, with the shrinkage chosen.
    """

    name: ClassVar[str] = "gda"

    shrinkage: float | None = None
    alpha: float | None = None
    scale: float = 100.0
    seed: int = 0

    def learn(self, support: Support) -> None:
        """Estimate and invert the covariance, then weigh the images against the texts."""
        covariance = SharedCovariance(support, _logits, self.seed)
        self.shrinkage_ = covariance.choose(
            SHRINKAGES if self.shrinkage is None else (self.shrinkage,)
        )
        means, vectors = support.means.double(), covariance.spectrum.vectors
        weights = (means @ vectors / covariance.spectrum.shrunk(self.shrinkage_)) @ vectors.T
        shares = support.counts.double() / len(support)
        bias = shares.log() - 0.5 * (means * weights).sum(dim=1)
        self.alpha_ = 1.0 if self.alpha is None else self.alpha
        if self.alpha is None and support.texts is not None:
            rows = covariance.rows
            logits = (
                covariance.held_out(self.shrinkage_, rows)
                if len(rows)
                else means @ weights.T + bias
            )
            self.alpha_ = self.scale * share_of_images(support, logits, rows)
        self.weights_ = self.alpha_ * weights.float() + self.scale * support.texts_or_zeros
        self.bias_ = self.alpha_ * bias.float()

    def held_out(self, support: Support, rows: Int[Tensor, " m"]) -> Float[Tensor, "m c"]:
        """Logits of images of the support as if they were not in it, at the shrinkage in use."""
        return SharedCovariance(support, _logits, self.seed).held_out(self.shrinkage_, rows)

    def score(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Discriminants."""
        return cosine_logits(x, self.weights_) + self.bias_


def _logits(products: Tensor, _: Tensor, squares: Tensor, log_shares: Tensor) -> Tensor:
    return products + log_shares - 0.5 * squares
