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
"""Presences below this count as none, as in PiPViT."""
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
    """`logits = W max_p softmax(ReLU(BatchNorm(F x_p)))`, with `W` sparse and >= 0.

    The encoder is frozen, so that what PiPViT trains in it is one linear map `F` of its patches to
    as many channels as there are prototypes. It begins as the centres of clusters of patches.
    First `F` learns from two views of each image, without labels, then everything does. What `F`
    is by then stays, and `W` is found anew, as few weights of a logistic regression: the ones that
    were learnt along make good prototypes, and tell classes worse.

    Parameters
    ----------
    prototypes
        How many; None takes 32 and 4 for each class, at most 256. Never more than patches.
    pretraining, steps
        Steps without and with labels. Many more of the first make prototypes that images share,
        and classes worse.
    learning_rate
        Of `F` in pretraining; a tenth of it later.
    sparsity
        What every class weight loses in each step; PIP-Net takes 1e-3, in many more steps.
    per_class
        Prototypes that may speak for a class.
    penalty
        On the squares of class weights in the end.

    Attributes
    ----------
    filters_, offsets_
        `F` and the normalisation in one, `[k, d]` and `[k]`: `score = filters_ @ x + offsets_`.
    weights_
        `[c, k]`, 0 or more: what a prototype's presence speaks for.
    examples_
        The image and the patch `[k, e, 2]` of the support that show each prototype most, no image
        twice; `example_shares_` `[k, e]` are how much.
    linear_, linear_bias_
        A linear head on the mean patch of the same images, to compare with: `[c, d]` and `[c]`.
    duplicates_
        Pairs of prototypes that speak for a class and are at the same places of the support: the
        cosine of their shares, of those of `ABSENT` or more, is above `SAME`.
    off_
        The prototypes that are switched off.

    Source: Oghbaie et al. 2025, arXiv:2506.10669; sparsity from Nauta et al. 2023 (PIP-Net).
    """

    name: ClassVar[str] = "patch-prototypes"
    consumes: ClassVar[Consumes] = "patches"

    prototypes: int | None = None
    pretraining: int = 40
    steps: int = 250
    batch_size: int = 32
    learning_rate: float = 0.05
    sparsity: float = 4e-3
    per_class: int = 10
    penalty: float = 0.03
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
            support.classes,
            self.prototypes or min(MOST, 32 + 4 * support.classes),
            self.batch_size,
            self.learning_rate,
            self.seed,
        )
        training.pretrain(self.pretraining)
        training.train(self.steps, self.sparsity)
        self.filters_, self.offsets_ = training.folded()
        shown = torch.cat([self.presences(block) for block in features.split(BLOCK)])
        weights = few_weights(shown, support.labels, support.classes, self.per_class, self.penalty)
        slight = weights < SLIGHT * weights.amax(dim=1, keepdim=True)
        self.weights_ = weights.masked_fill(slight, 0)
        self.off_: list[int] = []
        self._describe(features)
        return self

    def logits(self, features: FeatureSets) -> Float[Tensor, "n c"]:
        """The evidence for each class, 0 or more; 0 where none of its prototypes is present.

        Raises `UsageError` before `fit`, `DataError` for patches of another width.
        """
        return self.presences(features) @ self.weights_.T

    def presences(self, features: FeatureSets) -> Float[Tensor, "n k"]:
        """How much of each prototype an image shows, from 0 to 1; 0 below `ABSENT`.

        Raises as `logits` does.
        """
        found = prototypes.presences(self.shares(features), features.owners, len(features))
        return torch.where(found >= ABSENT, found, 0)

    def shares(self, features: FeatureSets) -> Float[Tensor, "r k"]:
        """How much of each prototype every patch shows; those of a patch sum to 1."""
        self.check_fitted()
        scores = cosine_logits(features.rows.float(), self.filters_) + self.offsets_
        return prototypes.shares(scores)

    def without(self, numbers: Sequence[int]) -> Self:
        """The same head with some prototypes switched off. Raises `UsageError` for an unknown."""
        self.check_fitted()
        count = self.weights_.shape[1]
        for number in numbers:
            if not 0 <= number < count:
                raise UsageError(f"Expected prototypes from 0 to {count - 1}, got {number}.")
        twin = copy(self)
        twin.off_ = sorted({*self.off_, *numbers})
        twin.weights_ = self.weights_.clone()
        twin.weights_[:, twin.off_] = 0
        return twin

    def linear_logits(self, features: FeatureSets) -> Float[Tensor, "n c"]:
        """Scores of the linear head on the mean patch, which explains nothing."""
        self.check_fitted()
        return cosine_logits(mean_patches(features), self.linear_) + self.linear_bias_

    def peaks(self, features: FeatureSets) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"]]:
        """Where each image shows each prototype most: the share, and the patch by its number."""
        shares, owners = self.shares(features), features.owners
        top = prototypes.presences(shares, owners, len(features))
        numbers = torch.arange(len(shares))[:, None].expand_as(shares)
        numbers = torch.where(shares == top[owners], numbers, len(shares))
        start = torch.full(top.shape, len(shares))
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
            shares = self.shares(block)
            present = torch.where(shares >= ABSENT, shares, 0).double()
            products += present.T @ present
        top, images = torch.cat(best).T.topk(min(EXAMPLES, len(features)), dim=1)
        self.examples_ = torch.stack([images, torch.cat(places).T.gather(1, images)], dim=-1)
        self.example_shares_ = top
        self.duplicates_ = prototypes.alike(products, self.used, SAME)

    @property
    def remarks(self) -> tuple[str, ...]:
        """How many prototypes speak for a class and for any, and how many are alike."""
        used = self.used
        left = [pair for pair in self.duplicates_ if used[pair].all()]
        each = (self.weights_ > 0).sum(dim=1).double().quantile(0.5)
        return (
            f"A class uses {each:g} prototypes (median), all classes {int(used.sum()):,};"
            f" {len(left):,} pairs are duplicates.",
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
    sums = features.rows.new_zeros(len(features), features.rows.shape[1], dtype=torch.float32)
    sums = sums.index_add(0, features.owners, features.rows.float())
    return unit_norm(sums / features.offsets.diff()[:, None])
