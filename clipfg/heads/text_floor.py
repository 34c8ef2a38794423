"""A floor for heads that trust few images too much: with texts, not below the texts alone."""

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.functional.similarity import cosine_logits, unit_norm
from clipfg.heads.few_shot import FewShotHead
from clipfg.heads.support import Support, accuracy
from clipfg.heads.text_weighting import share_of_images

_LARGE = 1e8  # n c d above which one fold has to do


@dataclass(eq=False)
class TextFloor(FewShotHead):
    """Adds `floor cos(x, text)` to the logits of a head that the texts alone would beat.

    None measures the floor: heads fitted again without each fold, with the settings chosen,
    classify its images. If as many are right as by the texts alone, it is 0, and the head is as
    published. Otherwise it is the factor at which the images are likeliest, and with one shot,
    where nothing can be held out, that of `share_of_images`: about 0 for texts that say nothing.
    """

    floor: float | None = None

    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
        groups: Int[Tensor, " n"] | None = None,
    ) -> Self:
        """Learn as every head does, then measure the floor."""
        super().fit(features, labels, text_weights, groups)
        self.floor_ = self.floor or 0.0
        if text_weights is not None:
            support = Support.of(self.name, features, labels, text_weights, groups=groups)
            self.floor_texts_ = support.texts_or_zeros
            if self.floor is None:
                self.floor_ = self._measured(support)
        return self

    def _measured(self, support: Support) -> float:
        splits = support.splits(0)
        if not splits:
            return 1 / share_of_images(support, self.score(support.means), support.labels[:0])
        large = len(support) * support.classes * support.features.shape[1] > _LARGE
        rows, logits = [], []
        for train, held in splits[: 1 if large else None]:
            refitted = self.refit(train.features, train.labels, train.texts)
            rows.append(held)
            logits.append(refitted.logits(support.features[held]))
        held_out, own = torch.cat(rows), torch.cat(logits)
        truth, texts = support.labels[held_out], support.features[held_out] @ self.floor_texts_.T
        if accuracy(own, truth) >= accuracy(texts, truth):
            return 0.0
        return 1 / max(share_of_images(support, own, held_out), 1e-6)

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """The head's own scores, and the texts' share; raises as those of every head do."""
        own = super().logits(features)
        if not self.floor_:
            return own
        return own + cosine_logits(unit_norm(features), self.floor_texts_, self.floor_)
