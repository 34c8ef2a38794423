"""The contract of a head: scikit-learn's, on features and text weights."""

from abc import ABC, abstractmethod
from typing import Self

from jaxtyping import Float, Int
from torch import Tensor

from clipfg.registry import Registry


class Head(ABC):
    """A classifier from unit-norm features `[n, d]` to logits `[n, c]`.

    `__init__` only keeps its arguments; `fit` computes attributes whose names end in `_`.
    """

    @abstractmethod
    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> Self:
        """Learn from a labelled support set, from class text weights, or from both."""

    @abstractmethod
    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Scores of every class for every feature; the larger the likelier."""


HEADS: Registry[type[Head]] = Registry("head", "clipfg.heads")
HEADS.register("zero-shot", "clipfg.heads.zero_shot:ZeroShot")
