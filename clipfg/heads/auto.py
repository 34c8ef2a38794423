"""Auto: the head, or the blend of heads, that names most held-out pictures of the support."""

from itertools import combinations
from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.heads.base import HEADS, Head
from clipfg.heads.support import Support, accuracy

MEMBERS = ("whitened-mean", "gda", "linear-probe")
WITH_TEXTS = ("whitened-mean", "gda", "cross-modal-linear-probe")
FEW = 4
"""Shots below which folds would train on so much less that they would judge another problem."""


class Auto(Head):
    """`logits = scale * mean over the chosen heads of their logits, standardised in each row`.

    Each candidate head first chooses its own settings on the support. With those fixed, all are
    fitted on the same seeded folds, and every subset of them is judged by how many held-out
    pictures its blend names rightly; of equals the smaller, then the earlier wins. Where the
    largest class has fewer than four pictures the whitened mean is taken as it is.

    Parameters
    ----------
    scale
        On standardised logits; it moves probabilities and no prediction.
    seed
        Of the folds, the heads' own among them.

    Attributes
    ----------
    members_
        Names of the heads in use.
    held_out_
        The share of held-out pictures that they named rightly; -1 where none were held out.
    classes_
        How many.

    What the members have learnt follows under `m0_`, `m1_`, ...

    Source: this project's; blends chosen by held-out accuracy as in Caruana et al. 2004.
    """

    name: ClassVar[str] = "auto"
    members_: list[str]
    held_out_: float
    classes_: int

    def __init__(self, scale: float = 3.0, seed: int = 0) -> None:
        self.scale = scale
        self.seed = seed

    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> Self:
        """Choose heads and fit them on the whole support. Raises as `Support.of` does."""
        support = Support.of(self.name, features, labels, text_weights)
        names: tuple[str, ...] = MEMBERS if support.texts is None else WITH_TEXTS
        if int(support.counts.max()) < FEW:
            names = names[:1]
        heads = {name: HEADS.get(name)(**{"seed": self.seed}) for name in names}
        for head in heads.values():
            head.fit(support.features, support.labels, support.texts)
        chosen, self.held_out_ = names, -1.0
        if len(names) > 1:
            chosen, self.held_out_ = self._choose(support, heads)
        self.classes_ = support.classes
        return self._keep(list(chosen), [heads[name] for name in chosen])

    def refit(
        self,
        features: Float[Tensor, "n d"] | None = None,
        labels: Int[Tensor, " n"] | None = None,
        text_weights: Float[Tensor, "c d"] | None = None,
    ) -> "Auto":
        """The same blend of heads, with their settings, fitted elsewhere."""
        support = Support.of(self.name, features, labels, text_weights)
        other = type(self)(**self.config)
        other.held_out_, other.classes_ = self.held_out_, support.classes
        members = [self._member(position) for position in range(len(self.members_))]
        return other._keep(self.members_, [member.refit(*_given(support)) for member in members])

    def _keep(self, names: list[str], heads: list[Head]) -> Self:
        self.members_ = names
        for position, head in enumerate(heads):
            for key, value in head.fitted.items():
                setattr(self, f"m{position}_{key}", value)
        return self

    def _choose(self, support: Support, heads: dict[str, Head]) -> tuple[tuple[str, ...], float]:
        subsets = [c for size in range(1, len(heads) + 1) for c in combinations(heads, size)]
        right = dict.fromkeys(subsets, 0.0)
        total = 0
        for train, held in support.splits(self.seed):
            x, labels = support.features[held], support.labels[held]
            scores = {
                name: _standardised(head.refit(*_given(train)).logits(x))
                for name, head in heads.items()
            }
            for subset in subsets:
                blend = torch.stack([scores[name] for name in subset]).mean(dim=0)
                right[subset] += accuracy(blend, labels) * len(held)
            total += len(held)
        best = max(subsets, key=lambda subset: right[subset])
        return best, right[best] / total

    def _member(self, position: int) -> Head:
        head = HEADS.get(self.members_[position])()
        prefix = f"m{position}_"
        for key, value in self.fitted.items():
            if key.startswith(prefix):
                setattr(head, key.removeprefix(prefix), value)
        return head

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Blended scores. Raises `UsageError` before `fit`, `DataError` for another width."""
        self.check_fitted()
        members = [self._member(position) for position in range(len(self.members_))]
        parts = [_standardised(member.logits(features)) for member in members]
        return self.scale * torch.stack(parts).mean(dim=0)


def _given(support: Support) -> tuple[Tensor, Tensor, Tensor | None]:
    return support.features, support.labels, support.texts


def _standardised(logits: Tensor) -> Tensor:
    """Rows of mean 0 and deviation 1: heads of different scales count alike."""
    centred = logits - logits.mean(dim=1, keepdim=True)
    return centred / centred.square().mean(dim=1, keepdim=True).sqrt().clamp_min(1e-12)
