"""Class mean: the nearest mean of the support's features, by cosine."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from clipfg.functional.similarity import cosine_logits, unit_norm
from clipfg.heads.few_shot import FewShotHead
from clipfg.heads.support import Support


@dataclass(eq=False)
class ClassMean(FewShotHead):
    """`logits = scale * cos(feature, mean of the class's features)`; texts are ignored.

    `scale` changes probabilities but no prediction. `weights_` are the unit-norm means `[c, d]`.

    Source: Snell et al. 2017, arXiv:1703.05175, with cosines in place of distances.
    """

    name: ClassVar[str] = "class-mean"

    scale: float = 100.0

    def learn(self, support: Support) -> None:
        """Average each class."""
        self.weights_ = unit_norm(support.means)

    def score(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Scaled cosines with every mean."""
        return cosine_logits(x, self.weights_, self.scale)
