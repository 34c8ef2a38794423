"""Gaussian discriminant analysis: one shrunk covariance for all classes, beside the texts."""

from typing import ClassVar, Self

from jaxtyping import Float, Int
from torch import Tensor

from clipfg.functional.covariance import Spectrum
from clipfg.functional.similarity import cosine_logits
from clipfg.heads.base import Head
from clipfg.heads.support import Support
from clipfg.heads.text_weighting import share_of_images
from clipfg.heads.within_class import (
    SHRINKAGES,
    choose,
    held_out_logits,
    spectrum_of,
)


class GDA(Head):
    """`logits = scale * cos(x, text) + alpha (x.w_k + b_k)`; without texts the second term alone.

    `w_k = S^-1 mu_k` and `b_k = log pi_k - mu_k.w_k / 2`, with `mu` class means, `pi` class shares
    of the support and `S` the covariance within classes, shrunk: `(1 - s) S + s tr(S)/d I`.
    Without texts it is linear discriminant analysis, as scikit-learn's `lsqr` solver has it.

    Parameters
    ----------
    shrinkage
        `s`, from 0 to 1. None chooses by seeded folds of the support (`within_class.choose`).
    alpha
        The factor beside the texts. None measures it (`weighing.share_of_images`); 1 without
        texts.
    scale
        The factor on cosines with texts.
    seed
        Of the folds.

    Attributes
    ----------
    weights_, bias_
        `[c, d]` and `[c]`, float32, texts and images summed.
    shrinkage_, alpha_
        Those in use.

    Source: Wang et al. 2024, arXiv:2402.04087, equations 3 to 7, with the shrinkage chosen.
    """

    name: ClassVar[str] = "gda"
    weights_: Tensor
    bias_: Tensor
    shrinkage_: float
    alpha_: float

    def __init__(
        self,
        shrinkage: float | None = None,
        alpha: float | None = None,
        scale: float = 100.0,
        seed: int = 0,
    ) -> None:
        self.shrinkage = shrinkage
        self.alpha = alpha
        self.scale = scale
        self.seed = seed

    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> Self:
        """Estimate and invert the covariance. Raises as `Support.of` does."""
        support = Support.of(self.name, features, labels, text_weights)
        shrinkages = SHRINKAGES if self.shrinkage is None else (self.shrinkage,)
        spectrum = spectrum_of(support)
        self.shrinkage_ = choose(support, spectrum, _logits, shrinkages, self.seed)
        weights, bias = _discriminant(support, spectrum, self.shrinkage_)
        self.alpha_ = 1.0 if self.alpha is None else self.alpha
        if self.alpha is None and support.texts is not None:
            rows = support.judged(self.seed)
            if len(rows):
                logits = held_out_logits(
                    support, spectrum, _logits, self.shrinkage_, rows, self.seed
                )
            else:
                logits = support.means.double() @ weights.T + bias
            self.alpha_ = self.scale * share_of_images(support, logits, rows)
        weights, bias = self.alpha_ * weights.float(), self.alpha_ * bias.float()
        if support.texts is not None:
            weights = weights + self.scale * support.texts
        self.weights_, self.bias_ = weights, bias
        return self

    def held_out(self, support: Support, rows: Int[Tensor, " m"]) -> Float[Tensor, "m c"]:
        """Logits of images of the support as if they were not in it, at the shrinkage chosen."""
        whole = spectrum_of(support)
        return held_out_logits(support, whole, _logits, self.shrinkage_, rows, self.seed)

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Discriminants. Raises `UsageError` before `fit`, `DataError` for another width."""
        self.check_fitted()
        return cosine_logits(features.float(), self.weights_) + self.bias_


def _discriminant(support: Support, spectrum: Spectrum, shrinkage: float) -> tuple[Tensor, Tensor]:
    means = support.means.double()
    weights = (means @ spectrum.vectors / spectrum.shrunk(shrinkage)) @ spectrum.vectors.T
    shares = support.counts.double() / len(support)
    return weights, shares.log() - 0.5 * (means * weights).sum(dim=1)


def _logits(products: Tensor, _: Tensor, squares: Tensor, log_shares: Tensor) -> Tensor:
    return products + log_shares - 0.5 * squares
