"""The labelled support set of a few-shot head, checked once, and its seeded folds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.errors import DataError, UsageError
from clipfg.functional.folds import stratified_folds
from clipfg.functional.similarity import unit_norm
from clipfg.heads.base import FeatureSets, Images
from clipfg.heads.items import Items

FOLDS = 5
MAX_VALIDATION = 4096
"""Held-out images to choose by; more would only take longer to choose the same."""


@dataclass(frozen=True)
class Support:
    """Unit-norm features `[n, d]` with labels from 0 to `classes - 1`, and class texts or None.

    `groups` are numbers of what must stay together, such as the boxes of one picture: no fold has
    part of a group. None where each image is its own. `images`, `patches` and `bags` are for heads
    that take those; the features of bags are their means.
    """

    features: Float[Tensor, "n d"]
    labels: Int[Tensor, " n"]
    classes: int
    texts: Float[Tensor, "c d"] | None = None
    groups: Int[Tensor, " n"] | None = None
    images: Images | None = None
    patches: FeatureSets | None = None
    bags: FeatureSets | None = None

    @classmethod
    def of(
        cls,
        head: str,
        features: Tensor | None,
        labels: Tensor | None,
        text_weights: Tensor | None,
        needs_texts: bool = False,
        groups: Tensor | None = None,
    ) -> Self:
        """Check the arguments of `fit`. There are as many classes as texts, or as the labels say.

        Raises `UsageError` for missing features, labels or needed texts; `DataError` for unequal
        lengths or widths, labels out of range and classes without an image.
        """
        if features is None or labels is None:
            raise UsageError(f"Expected labelled features for the {head} head, got none.")
        if needs_texts and text_weights is None:
            raise UsageError(
                f"Expected text weights for the {head} head, got none; give class names, or use"
                " a head that learns from images alone, such as gda."
            )
        if len(features) != len(labels) or not len(labels):
            raise DataError(
                "Expected as many labels as features and at least one, got"
                f" {len(features)} features and {len(labels)} labels."
            )
        if groups is not None and len(groups) != len(labels):
            raise DataError(f"Expected {len(labels)} groups, as many as labels, got {len(groups)}.")
        texts = None if text_weights is None else unit_norm(text_weights).to(features.device)
        if texts is not None and texts.shape[1] != features.shape[1]:
            raise DataError(
                f"Expected text weights of width {features.shape[1]}, as the features have, got"
                f" width {texts.shape[1]}; both must come from the same encoder."
            )
        highest = int(labels.max())
        classes = len(texts) if texts is not None else highest + 1
        if int(labels.min()) < 0 or highest >= classes:
            raise DataError(
                f"Expected labels from 0 to {classes - 1}, got {int(labels.min())} to {highest}."
            )
        device = features.device
        groups = None if groups is None else groups.to(device)
        support = cls(unit_norm(features), labels.long().to(device), classes, texts, groups)
        empty = (support.counts == 0).nonzero().flatten().tolist()
        if empty:
            raise DataError(
                f"Expected at least one image of each of {classes} classes, got none of class"
                f" {empty[0]} ({len(empty)} classes have none); add images or exclude them."
            )
        return support

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def items(self) -> Items:
        """Without their labels, as heads take them."""
        return Items(self.features, self.images, self.patches, self.bags)

    @property
    def texts_or_zeros(self) -> Float[Tensor, "c d"]:
        """Class texts; without any, rows of zeros, which score every class 0."""
        if self.texts is None:
            return self.features.new_zeros(self.classes, self.features.shape[1])
        return self.texts

    @cached_property
    def counts(self) -> Int[Tensor, " c"]:
        """Images of each class."""
        return torch.bincount(self.labels, minlength=self.classes)

    @cached_property
    def means(self) -> Float[Tensor, "c d"]:
        """The plain mean of each class's features."""
        sums = torch.zeros(self.classes, self.features.shape[1], device=self.features.device)
        return sums.index_add(0, self.labels, self.features) / self.counts[:, None]

    @cached_property
    def together(self) -> Int[Tensor, " n"]:
        """Equal numbers for images that are left out together: its group's, else its own."""
        if self.groups is None:
            return torch.arange(len(self), device=self.labels.device)
        return self.groups

    @cached_property
    def replaceable(self) -> Bool[Tensor, " n"]:
        """Whether the class of an image has another when its group is left out."""
        seen = torch.stack([self.labels, self.together]).unique(dim=1)[0]
        return (torch.bincount(seen, minlength=self.classes) > 1)[self.labels]

    @cached_property
    def means_of_others(self) -> Float[Tensor, "n d"]:
        """The mean of an image's class without its group; its own feature where that is all."""
        pairs = torch.stack([self.labels, self.together])
        own = pairs.unique(dim=1, return_inverse=True)[1]
        sums = self.features.new_zeros(len(self), self.features.shape[1])
        sums = sums.index_add(0, own, self.features)[own]
        counts = self.counts[self.labels][:, None]
        left = counts - torch.bincount(own)[own][:, None]
        others = (self.means[self.labels] * counts - sums) / left.clamp_min(1)
        return torch.where(left > 0, others, self.features)

    def rows(self, which: Tensor) -> "Support":
        """The part that an index array or a mask selects, with the same classes and texts."""
        groups = None if self.groups is None else self.groups[which]
        return replace(self, labels=self.labels[which], groups=groups, **vars(self.items[which]))

    def folds(self, seed: int, most: int = FOLDS) -> Int[Tensor, " n"]:
        """The fold that each image is held out in; -1 where it is the only one of its class.

        Stratified: each class is spread over the folds as evenly as possible, and groups stay
        whole. There are as many folds as the largest class has images, and at most `most`.
        """
        return stratified_folds(self.labels, seed, most, self.groups)

    def splits(self, seed: int, most: int = FOLDS) -> list[tuple["Support", Tensor]]:
        """The training part and the positions held out, for each fold; none with one shot."""
        return [(self.without(held), held) for held in self.held(seed, most)]

    def held(self, seed: int, most: int = FOLDS) -> list[Int[Tensor, " h"]]:
        """The positions held out, for each fold; none with one shot."""
        folds = self.folds(seed, most)
        parts = [(folds == fold).nonzero().flatten() for fold in range(int(folds.max()) + 1)]
        return [held for held in parts if len(held)]

    def held_out(self, seeds: Sequence[int]) -> Int[Tensor, " m"]:
        """Ascending positions of the images that are held out in a fold with each of the seeds."""
        if self.groups is None:
            return self.replaceable.nonzero().flatten()
        folds = torch.stack([self.folds(seed) for seed in seeds])
        return (folds >= 0).all(dim=0).nonzero().flatten()

    def without(self, held: Int[Tensor, " h"]) -> "Support":
        """The support less the images at some positions, with the same classes and texts."""
        left = torch.ones(len(self), dtype=torch.bool, device=self.labels.device)
        left[held] = False
        return self.rows(left)

    def validation_rows(self, seed: int, most: int = MAX_VALIDATION) -> Int[Tensor, " m"]:
        """Ascending positions of images held out in a fold, at most `most`: a seeded sample."""
        held = self.held_out([seed])
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(held), generator=generator)[:most].sort().values
        return held[chosen.to(held.device)]


def about_as_good(hits: Bool[Tensor, "o m"]) -> Bool[Tensor, " o"]:
    """Which options are about as accurate as the best one on the same `m` images.

    That is within one standard error, paired image by image: the rule of Breiman et al. 1984.
    """
    right = hits.double()
    lost = right[right.mean(dim=1).argmax()] - right
    return lost.mean(dim=1) <= (lost.var(dim=1, correction=0) / hits.shape[1]).sqrt()


def accuracy(logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]) -> float:
    """Top-1 accuracy, from 0 to 1."""
    return float((logits.argmax(dim=1) == labels).double().mean())
