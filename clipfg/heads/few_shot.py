"""What heads that learn from labelled images share: their input is checked, and their state."""

from abc import abstractmethod
from typing import Self

from jaxtyping import Float, Int
from torch import Tensor

from clipfg.functional.similarity import unit_norm
from clipfg.heads.base import Head
from clipfg.heads.support import Support


class FewShotHead(Head):
    """A head that learns from a support set: a subclass writes `learn` and `score`.

    Subclasses are dataclasses (`@dataclass(eq=False)`) whose fields are the parameters, so that
    `__init__` keeps its arguments and does nothing else. Names that they share: `scale` is the
    factor on cosines with texts, `seed` the random seed of the folds; `texts_` `[c, d]` are zeros
    without texts; for a parameter that may be None, `alpha_` and the like is the one in use.
    """

    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
        groups: Int[Tensor, " n"] | None = None,
    ) -> Self:
        """Learn from labelled images and, where given, class texts.

        Images of one of the `groups`, such as the boxes of one picture, are held out together where
        settings are chosen on held-out images.

        Raises `UsageError` and `DataError` as `Support.of` does.
        """
        needs = self.needs_texts
        self.learn(Support.of(self.name, features, labels, text_weights, needs, groups))
        return self

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Scores of every class; rows are scaled to unit norm, as `fit` does.

        Raises `UsageError` before `fit`, `DataError` for features of another width and for rows
        that are zero or not finite.
        """
        self.check_fitted()
        return self.score(unit_norm(features))

    @abstractmethod
    def learn(self, support: Support) -> None:
        """Compute the fitted attributes, whose names end in `_`, from a checked support set."""

    @abstractmethod
    def score(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Logits of unit-norm float32 rows; `cosine_logits` raises for rows of another width."""
