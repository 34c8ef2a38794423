"""Calibrated class probabilities from some labels, and from class texts where there are any."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.heads import Head
from clipfg.heads.held_out import CrossFit
from clipfg.heads.support import Support
from clipfg.heads.whitened_mean import WhitenedMean


@dataclass(frozen=True)
class CalibratedClassifier:
    """A fitted head, the factor that calibrates it, and the classes that its columns stand for."""

    head: Head
    factor: float
    classes: Int[Tensor, " c"]

    @classmethod
    def of(
        cls,
        features: Float[Tensor, "m d"],
        labels: Int[Tensor, " m"],
        texts: Float[Tensor, "c d"] | None = None,
        seed: int = 0,
        groups: Int[Tensor, " m"] | None = None,
    ) -> "CalibratedClassifier":
        """Fit the head on the classes that have a label, and its temperature on held-out folds.

        With one label a class nothing can be held out: the head's logits stay as they are. Images
        of one of the `groups` are held out together.
        """
        present, own = torch.unique(labels, return_inverse=True)
        weights = None if texts is None else texts[present]
        support = Support.of("suggest", features, own, weights, groups=groups)
        head = WhitenedMean(seed=seed).fit(support.features, own, support.texts, groups)
        return cls(head, CrossFit.of(head, support, seed).factor, present)

    def predict(self, features: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
        """The likeliest class of each row, as in the labels that it was fitted on."""
        return self.classes[self.head.logits(features).argmax(dim=1)]

    def probabilities(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Of the classes that have a label."""
        return (self.factor * self.head.logits(features)).softmax(dim=1)
