"""Whitened mean: the nearest class mean by cosine, where spread within classes is even."""

from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.functional.covariance import Spectrum
from clipfg.functional.similarity import cosine_logits
from clipfg.heads.base import Head
from clipfg.heads.support import Support
from clipfg.heads.within_class import SHRINKAGES, choose, held_out_logits, spectrum_of


class WhitenedMean(Head):
    """`logits = scale * (cos(x, text) + alpha cos(P (x - m), P (mu_k - m)))`; texts where given.

    `P = S^(-1/2)` with `S` the shrunk covariance within classes, `mu_k` class means and `m` the
    mean of the support. It is `gda` with lengths left out of account: a mean of few pictures is
    longer in noisy directions, which distances punish and angles forgive.

    Parameters
    ----------
    shrinkage, alpha, scale, seed
        As of `gda`; without texts the factor `alpha` is 1.

    Attributes
    ----------
    centre_, projection_
        `m` of shape `[d]` and `P` of shape `[d, d]`, float32.
    weights_
        Unit-norm projected class means `[c, d]`.
    texts_
        `[c, d]`, zeros without texts.
    shrinkage_, alpha_
        Those in use.

    Source: this project's; whitening before cosines as in Huang et al. 2021, arXiv:2104.01767.
    """

    name: ClassVar[str] = "whitened-mean"
    centre_: Tensor
    projection_: Tensor
    weights_: Tensor
    texts_: Tensor
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
        """Estimate the covariance and project the means. Raises as `Support.of` does."""
        support = Support.of(self.name, features, labels, text_weights)
        shrinkages = SHRINKAGES if self.shrinkage is None else (self.shrinkage,)
        shares = (1.0,) if support.texts is None else (1.0, 0.0, 0.03, 0.1, 0.3, 3.0)
        shares = shares if self.alpha is None else (self.alpha,)
        spectrum = spectrum_of(support)
        self.shrinkage_, self.alpha_ = choose(
            support, spectrum, _cosines, shrinkages, shares, 1.0, self.seed
        )
        self.projection_ = _projection(spectrum, self.shrinkage_).float()
        self.centre_ = support.features.mean(dim=0)
        self.weights_ = normalize((support.means - self.centre_) @ self.projection_, dim=1)
        texts = support.texts
        self.texts_ = torch.zeros_like(self.weights_) if texts is None else texts
        return self

    def held_out(self, support: Support, rows: Int[Tensor, " m"]) -> Float[Tensor, "m c"]:
        """Logits of pictures of the support as if they were not in it, at the shrinkage chosen."""
        return held_out_logits(support, _cosines, self.shrinkage_, rows, self.seed)

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Scaled cosines. Raises `UsageError` before `fit`, `DataError` for another width."""
        self.check_fitted()
        x = features.float()
        texts = cosine_logits(x, self.texts_)
        turned = normalize((x - self.centre_) @ self.projection_, dim=1)
        return self.scale * (texts + self.alpha_ * turned @ self.weights_.T)


def _projection(spectrum: Spectrum, shrinkage: float) -> Tensor:
    return spectrum.vectors / spectrum.shrunk(shrinkage).sqrt()


def _cosines(products: Tensor, of_x: Tensor, of_means: Tensor, _: Tensor) -> Tensor:
    return products / (of_x * of_means).clamp_min(1e-12).sqrt()
