"""Cross-modal linear probe: class texts are one more shot of each class."""

from typing import ClassVar, Self

from jaxtyping import Float, Int
from torch import Tensor

from clipfg.heads.linear_probe import LinearProbe
from clipfg.heads.support import Support


class CrossModalLinearProbe(LinearProbe):
    """Logistic regression on images and texts alike: each class's text weight is a sample too.

    `C` is chosen on held-out images; texts are trained on in every fold. Parameters and
    attributes are those of `linear-probe`.

    Source: Lin et al. 2023, arXiv:2301.06267, equations 4 and 5.
    """

    name: ClassVar[str] = "cross-modal-linear-probe"
    needs_texts: ClassVar[bool] = True

    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> Self:
        """Choose `C` and fit. Raises `UsageError` without texts, and as `Support.of` does."""
        support = Support.of(
            self.name, features, labels, text_weights, needs_texts=self.needs_texts
        )
        return self._learn(support, texts=True)
