"""Class mean: the nearest mean of the support's features, by cosine."""

from typing import ClassVar, Self

from jaxtyping import Float, Int
from torch import Tensor

from clipfg.functional.similarity import cosine_logits, unit_norm
from clipfg.heads.base import Head
from clipfg.heads.support import Support


class ClassMean(Head):
    """`logits = scale * cos(feature, mean of the class's features)`; texts teach it nothing.

    Parameters
    ----------
    scale
        The factor on cosines; it moves probabilities and no prediction.

    Attributes
    ----------
    weights_
        Unit-norm class means `[c, d]`, float32.

    Source: Snell et al. 2017, arXiv:1703.05175, with cosines in place of distances.
    """

    name: ClassVar[str] = "class-mean"
    weights_: Tensor

    def __init__(self, scale: float = 100.0) -> None:
        self.scale = scale

    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> Self:
        """Average each class. Raises `UsageError` and `DataError` as `Support.of` does."""
        support = Support.of(self.name, features, labels, text_weights)
        self.weights_ = unit_norm(support.means)
        return self

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Scaled cosines of unit-norm features with every mean.

        Raises `UsageError` before `fit`, `DataError` for features of another width.
        """
        self.check_fitted()
        return cosine_logits(features.float(), self.weights_, self.scale)
