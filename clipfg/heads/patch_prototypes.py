"""Patch prototypes: classes as sums of a few things that patches show, so that answers explain."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.functional import prototypes
from clipfg.functional.nonnegative_logistic import few_weights
from clipfg.functional.similarity import cosine_logits, unit_norm
from clipfg.heads.base import Consumes, FeatureSets, Head
from clipfg.heads.linear_probe import LinearProbe
from clipfg.heads.prototype_training import PrototypeTraining
from clipfg.heads.support import Support

ABSENT = 0.1
"""Presences below this share of the largest in the support count as none."""
SLIGHT = 0.1
"""Weights below this share of their class's largest become 0 in the end."""
MOST = 256
"""Prototypes by default, at most."""
EXAMPLES = 5
"""Patches of the support that stand for each prototype."""
SAME = 0.95
"""The cosine of the places of two prototypes above which one of them is a duplicate."""
BLOCK = 256
"""Images whose shares are computed at once."""


@dataclass(eq=False)
class PatchPrototypes(Head[FeatureSets]):
    """`logits = W mean_p ReLU(F x_p + b)`, with `W` sparse and >= 0.

    The encoder is frozen, so that what PiPViT trains in it is one linear map `F` of its patches to
    as many channels as there are prototypes. It begins as the centres of clusters of patches, and
    first learns from two views of each image, without labels. Then `W` is found, as few weights of
    a logistic regression, both learn together, and for the `F` that this gives, `W` is found anew.

    PiPViT's presence is the largest share of a prototype in any patch, after a softmax over all.
    That tells classes worse, by points, and is left to what is learnt without labels.

    Parameters
    ----------
    prototypes
        How many; None takes 32 and 4 for each class, at most 256. Never more than patches.
    pretraining, steps
        Steps without and with labels.
    learning_rate
        Of both.
    threshold
        By how many standard deviations the score of a patch must be above the mean to show a
        prototype, in the beginning. With less, more patches do, and prototypes point worse; with
        more, they point better and tell classes worse.
    per_class
        Prototypes that may speak for a class.
    penalty
        On the squares of class weights in the end.

    Attributes
    ----------
    filters_, offsets_
        `F` and `b`, `[k, d]` and `[k]`, scaled so that 1 is the largest presence in the support.
    weights_
        `[c, k]`, 0 or more: what a prototype's presence speaks for.
    examples_
        The image and the patch `[k, e, 2]` of the support that show each prototype most, no image
        twice; `example_scores_` `[k, e]` are how much.
    linear_, linear_bias_
        A linear head on the mean patch of the same images, to compare with: `[c, d]` and `[c]`.
    duplicates_
        Pairs of prototypes that speak for a class and are at the same places of the support: the
        cosine of their scores is above `SAME`.
    off_
        The prototypes that are switched off.

    Source: after Oghbaie et al. 2025, arXiv:2506.10669 (PiPViT).
    """

    name: ClassVar[str] = "patch-prototypes"
    consumes: ClassVar[Consumes] = "patches"

    prototypes: int | None = None
    pretraining: int = 40
    steps: int = 100
    batch_size: int = 32
    learning_rate: float = 2e-3
    threshold: float = 1.0
    per_class: int = 10
    penalty: float = 3e-3
    seed: int = 0

    def fit(
        self,
        features: FeatureSets | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> Self:
        """Learn from the patches of labelled images and, where they are known, of further views.

        Without `views` an image is its own second view. Texts only say how many classes there are.
        Raises `UsageError` and `DataError` as `Support.of` does.
        """
        means = None if features is None else mean_patches(features)
        support = Support.of(self.name, means, labels, text_weights)
        assert features is not None
        probe = LinearProbe(seed=self.seed).fit(support.features, support.labels)
        self.linear_, self.linear_bias_ = probe.weights_, probe.bias_
        training = PrototypeTraining(
            features,
            support.labels,
            self.prototypes or min(MOST, 32 + 4 * support.classes),
            self.batch_size,
            self.learning_rate,
            self.threshold,
            self.seed,
        )
        training.pretrain(self.pretraining)
        weights, scales = self._settle(training, features, support)
        training.train(weights * scales, self.steps)
        weights, _ = self._settle(training, features, support)
        slight = weights < SLIGHT * weights.amax(dim=1, keepdim=True)
        self.weights_ = weights.masked_fill(slight, 0)
        self.off_: list[int] = []
        self._describe(features)
        return self

    def _settle(
        self, training: PrototypeTraining, features: FeatureSets, support: Support
    ) -> tuple[Float[Tensor, "c k"], Float[Tensor, " k"]]:
        """Take the prototypes as they are; returns class weights, and what scores are scaled by."""
        self.filters_, self.offsets_ = training.folded()
        most = torch.cat([self._means(block) for block in features.split(BLOCK)]).amax(dim=0)
        scales = 1 / torch.where(most > 0, most, 1)
        self.filters_, self.offsets_ = scales[:, None] * self.filters_, scales * self.offsets_
        shown = torch.cat([self.presences(block) for block in features.split(BLOCK)])
        found = few_weights(shown, support.labels, support.classes, self.per_class, self.penalty)
        return found, scales

    def logits(self, features: FeatureSets) -> Float[Tensor, "n c"]:
        """The evidence for each class, 0 or more; 0 where none of its prototypes is present.

        Raises `UsageError` before `fit`, `DataError` for patches of another width.
        """
        return self.presences(features) @ self.weights_.T

    def presences(self, features: FeatureSets) -> Float[Tensor, "n k"]:
        """How much of each prototype an image shows: the mean over its patches, 0 below `ABSENT`.

        1 is as much as any image of the support shows. Raises as `logits` does.
        """
        found = self._means(features)
        return torch.where(found >= ABSENT, found, 0)

    def _means(self, features: FeatureSets) -> Float[Tensor, "n k"]:
        return prototypes.presences(self.scores(features), features.owners, len(features))

    def scores(self, features: FeatureSets) -> Float[Tensor, "r k"]:
        """How much every patch shows of each prototype, 0 or more; presences are their means."""
        self.check_fitted()
        return (cosine_logits(features.rows.float(), self.filters_) + self.offsets_).relu()

    def without(self, numbers: Sequence[int]) -> Self:
        """The same head with some prototypes switched off.

        Raises `UsageError` for an unknown one, and where none that speaks for a class is left.
        """
        self.check_fitted()
        count = self.weights_.shape[1]
        for number in numbers:
            if not 0 <= number < count:
                raise UsageError(f"Expected prototypes from 0 to {count - 1}, got {number}.")
        twin = copy(self)
        twin.off_ = sorted({*self.off_, *numbers})
        twin.weights_ = self.weights_.clone()
        twin.weights_[:, twin.off_] = 0
        if not twin.used.any():
            raise UsageError("Expected some prototypes to be left, got all of them switched off.")
        return twin

    def among(self, classes: Sequence[int]) -> Self:
        """The same head for some of its classes, by their index."""
        self.check_fitted()
        twin, kept = copy(self), list(classes)
        twin.weights_ = self.weights_[kept]
        twin.linear_, twin.linear_bias_ = self.linear_[kept], self.linear_bias_[kept]
        return twin

    def linear_logits(self, features: FeatureSets) -> Float[Tensor, "n c"]:
        """Scores of the linear head on the mean patch, which explains nothing."""
        self.check_fitted()
        return cosine_logits(mean_patches(features), self.linear_) + self.linear_bias_

    def peaks(self, features: FeatureSets) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
        """Where each image shows each prototype most: the score, and the patch by its number."""
        scores, owners = self.scores(features), features.owners
        top = prototypes.largest(scores, owners, len(features))
        numbers = torch.arange(len(scores))[:, None].expand_as(scores)
        numbers = torch.where(scores == top[owners], numbers, len(scores))
        start = torch.full(top.shape, len(scores))
        first = start.scatter_reduce(0, owners[:, None].expand_as(numbers), numbers, "amin")
        return top, first - features.offsets[:-1, None]

    def _describe(self, features: FeatureSets) -> None:
        """Find the examples and the duplicates in the support."""
        best, places = [], []
        products = torch.zeros(len(self.filters_), len(self.filters_), dtype=torch.float64)
        for block in features.split(BLOCK):
            top, patches = self.peaks(block)
            best.append(top)
            places.append(patches)
            scores = self.scores(block).double()
            products += scores.T @ scores
        top, images = torch.cat(best).T.topk(min(EXAMPLES, len(features)), dim=1)
        self.examples_ = torch.stack([images, torch.cat(places).T.gather(1, images)], dim=-1)
        self.example_scores_ = top
        self.duplicates_ = prototypes.alike(products, self.used, SAME)

    @property
    def remarks(self) -> tuple[str, ...]:
        """How many prototypes speak for a class and for any, and how many are alike."""
        used = self.used
        left = [pair for pair in self.duplicates_ if used[pair].all()]
        each = (self.weights_ > 0).sum(dim=1).double().quantile(0.5)
        return (
            f"A class uses {each:g} prototypes (median), all classes {int(used.sum()):,};"
            f" duplicate pairs: {len(left):,}.",
        )

    @property
    def exhibits(self) -> Int[Tensor, " m"]:
        """The images that show prototypes most, ascending."""
        return self.examples_[..., 0].unique()

    @property
    def used(self) -> Bool[Tensor, " k"]:
        """Which prototypes speak for any class."""
        return (self.weights_ > 0).any(dim=0)


def mean_patches(features: FeatureSets) -> Float[Tensor, "n d"]:
    """The mean patch of each image, of unit norm. Raises `DataError` for a zero one."""
    return unit_norm(features.means)
