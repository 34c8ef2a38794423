"""Named prompt ensembles: from many sentences to one weight vector per class.

A class weight is `w_c = sum_t a_t unit(f_t)` over the class's sentences, with `sum_t a_t = 1`. An
ensemble decides which sentences are used, how large each `a_t` is, and whether `w_c` is scaled to
unit norm. Each decision has named alternatives, and names combine: `waffle+weighted`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError, UsageError
from clipfg.functional.array_similarity import class_means
from clipfg.prompting.prompt_set import PromptSet
from clipfg.prompting.rendering import Sentences, sentences_for
from clipfg.registry import Registry
from clipfg.types import ClassList
from clipfg.types import unit_norm as array_unit_norm

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

Maker: TypeAlias = Callable[[PromptSet, ClassList, int], Sentences]
"""Prompt set, classes and random seed to sentences."""

Weigher: TypeAlias = "Callable[[Tensor, Sentences, Tensor, float], Tensor]"
"""Unit-norm text features `[t, d]`, their sentences, unlabelled images `[n, d]` and the scale of
logits to weights `[t]`, positive and of any sum. It never sees a label."""


@dataclass(frozen=True)
class EnsemblePart:
    """What one name of an ensemble stands for; whatever it leaves open is as in `mean`."""

    make: Maker | None = None
    weigh: Weigher | None = None
    renormalise: bool = True


ENSEMBLES: Registry[EnsemblePart] = Registry("prompt ensemble", "clipfg.ensembles")
ENSEMBLES.register_all(
    "clipfg.prompting",
    ("mean", "ensembling:MEAN", "The mean of each class's texts; the default"),
    ("score-mean", "score_mean:PART", "The mean score of each class's texts"),
    ("sentences", "sentences:PART", "Descriptions alone, without the bare templates"),
    ("product", "product:PART", "Every template with every description"),
    ("waffle", "waffle:PART", "Random words and letters as descriptions; a control"),
    ("weighted", "weighted:PART", "Templates weighted by unlabelled images"),
)

MEAN = EnsemblePart()


@dataclass(frozen=True)
class Ensemble:
    """A combination of named parts, such as "waffle+weighted".

    The sentences of all makers are used; without any, those of the prompt set itself. Without
    `weigh` all sentences count the same. Where class weights are not scaled to unit norm
    (`renormalise`), a dot product with one is the mean of the cosines with its sentences.
    """

    name: str
    makers: tuple[Maker, ...] = ()
    weigh: Weigher | None = None
    renormalise: bool = True

    @property
    def needs_images(self) -> bool:
        """Whether the weights depend on the unlabelled images that will be classified."""
        return self.weigh is not None

    def sentences(self, prompts: PromptSet, classes: ClassList, seed: int = 0) -> Sentences:
        """The sentences of every class; equal seeds make equal ones. Raises `DataError`s."""
        if not self.makers:
            return sentences_for(prompts, classes)
        return Sentences.join(make(prompts, classes, seed) for make in self.makers)

    def weights(
        self,
        features: Float[Tensor, "t d"],
        sentences: Sentences,
        images: Float[Tensor, "n d"] | None = None,
        scale: float = 100.0,
    ) -> Float[Tensor, "c d"]:
        """The class weights, from features of the sentences.

        `images` are unit-norm features of unlabelled images. Raises `UsageError` where they
        are needed and None, `DataError` as `ensemble_mean` does.
        """
        import torch

        from clipfg.functional.similarity import unit_norm

        owners = torch.from_numpy(sentences.owners)
        counts = None
        if self.weigh is not None:
            if images is None or not len(images):
                raise UsageError(
                    f"Expected unlabelled images for the ensemble {self.name!r}, got none;"
                    " try another ensemble, such as 'mean'."
                )
            counts = self.weigh(unit_norm(features), sentences, images, scale)
        return combine(features, owners, counts, renormalise=self.renormalise)

    def array_weights(
        self, features: NDArray[np.float32], sentences: Sentences
    ) -> NDArray[np.float32]:
        """`weights` `[c, d]` by NumPy, for an ensemble that needs no images."""
        assert not self.needs_images
        means = class_means(array_unit_norm(features), sentences.owners)
        return array_unit_norm(means) if self.renormalise else means


def make_ensemble(name: str) -> Ensemble:
    """The ensemble of one name, or of several joined by `+`.

    Raises `UsageError` for an unknown name, a duplicate, and two parts that both weigh sentences.
    """
    names = [part.strip() for part in name.split("+")]
    parts = [ENSEMBLES.get(part) for part in names]
    weighers = [part.weigh for part in parts if part.weigh is not None]
    if len(set(names)) < len(names) or len(weighers) > 1:
        raise UsageError(
            f"Expected distinct ensembles, at most one of them weighted, got {name!r}."
        )
    return Ensemble(
        name="+".join(names),
        makers=tuple(part.make for part in parts if part.make is not None),
        weigh=weighers[0] if weighers else None,
        renormalise=all(part.renormalise for part in parts),
    )


def ensemble_mean(
    text_features: Float[Tensor, "t d"], owners: Int[Tensor, " t"]
) -> Float[Tensor, "c d"]:
    """The renormalised mean of each class's unit-norm text features.

    `w_c = unit(mean_{t in c} unit(f_t))`. A class with one sentence gets that sentence's unit
    feature bit for bit, which is plain CLIP; the order of sentences matters only for rounding.

    `text_features` may have any norm. `owners` are the class index of each; every class from 0 to
    the largest has at least one sentence.

    Raises `DataError` for unequal lengths, a class without sentences, and features that are zero,
    not finite, or cancel exactly.

    Source: Radford et al. 2021, arXiv:2103.00020, section 3.1.4.
    """
    return combine(text_features, owners)


def combine(
    text_features: Float[Tensor, "t d"],
    owners: Int[Tensor, " t"],
    counts: Float[Tensor, " t"] | None = None,
    *,
    renormalise: bool = True,
) -> Float[Tensor, "c d"]:
    """Weighted means of each class's unit-norm text features, scaled to unit norm or as they are.

    `counts` weigh the sentences of a class relative to each other; None: all count the same.
    Raises `DataError` as `ensemble_mean` does, and for counts that are not positive.
    """
    import torch

    from clipfg.functional.similarity import unit_norm

    if len(text_features) != len(owners) or not len(owners):
        raise DataError(
            f"Expected as many owners as text features and at least one,"
            f" got {len(owners)} and {len(text_features)}."
        )
    if int(owners.min()) < 0:
        raise DataError(f"Expected class indices from 0 up as owners, got {int(owners.min())}.")
    owners = owners.long()
    empty = (torch.bincount(owners) == 0).nonzero()
    if len(empty):
        raise DataError(f"Expected a sentence for every class, got none for {int(empty[0])}.")
    unit = unit_norm(text_features)
    given = unit.new_ones(len(owners)) if counts is None else counts.float()
    if not (given > 0).all():
        raise DataError("Expected a positive weight for every sentence, got one that is not.")
    totals = unit.new_zeros(int(owners.max()) + 1).index_add_(0, owners, given)
    sums = unit.new_zeros(len(totals), unit.shape[1])
    sums = sums.index_add_(0, owners, unit * given[:, None]) / totals[:, None]
    return unit_norm(sums) if renormalise else sums
