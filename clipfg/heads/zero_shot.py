"""Zero-shot: the class weights are those of the texts, and nothing is learnt."""

from dataclasses import dataclass
from typing import ClassVar, Self

from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.functional.similarity import cosine_logits, unit_norm
from clipfg.heads.base import Head


@dataclass(eq=False)
class ZeroShot(Head):
    """`logits = scale * cos(feature, text weight) + bias`.

    Parameters
    ----------
    scale
        The encoder's trained factor on cosines (CLIP: about 100).
    bias
        The encoder's trained shift of logits; 0 except for sigmoid models.
    normalise
        Whether text weights are scaled to unit norm. If not, a weight that is a plain mean of
        unit-norm text features gives the mean of the cosines with each of them.

    `weights_` `[c, d]` are the class weights, of unit norm if `normalise`.

    Source: Radford et al. 2021, arXiv:2103.00020.
    """

    name: ClassVar[str] = "zero-shot"
    needs_texts: ClassVar[bool] = True

    scale: float = 100.0
    bias: float = 0.0
    normalise: bool = True

    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,  # noqa: ARG002 - images are not needed
        labels: Int[Tensor, " n"] | None = None,  # noqa: ARG002
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> Self:
        """Keep the text weights. Raises `UsageError` when there are none."""
        if text_weights is None:
            raise UsageError("Expected text weights for the zero-shot head, got none.")
        self.weights_ = unit_norm(text_weights) if self.normalise else text_weights.float()
        return self

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Scaled cosines of every row with every class.

        Raises `UsageError` before `fit`, `DataError` for features of another width and for rows
        that are zero or not finite.
        """
        self.check_fitted()
        return cosine_logits(unit_norm(features), self.weights_, self.scale, self.bias)
