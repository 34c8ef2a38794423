"""Cross-fitting: what a head says of images that it has not learnt from, and its temperature."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.functional.scaling import fit_temperature
from clipfg.heads.base import Head
from clipfg.heads.items import Items
from clipfg.heads.support import FOLDS, Support

_CELLS = 8_000_000  # logits held at once: 32 MB


@dataclass(frozen=True)
class HeldOutFold:
    """A head that has learnt from all images of `support` except those at `rows`."""

    head: Head
    support: Support
    rows: Int[Tensor, " h"]

    @property
    def train(self) -> Support:
        """What the head has learnt from, if `rows` are a whole fold."""
        return self.support.without(self.rows)

    @property
    def items(self) -> Items:
        """The held-out images."""
        return self.support.items[self.rows]

    @cached_property
    def logits(self) -> Float[Tensor, "h c"]:
        """Of the held-out images."""
        return self.head.logits(self.items.given_to(type(self.head)))


@dataclass(frozen=True)
class CrossFit:
    """A head fitted again without each fold of its support, and its logits on that fold.

    Settings that the head chose on the whole support are kept. That lets a few numbers (a penalty,
    a shrinkage) see the held-out labels, and preserves the scale of logits, on which temperatures
    and thresholds depend: with settings chosen anew in each fold it would be a different head.

    The only image of a class is never held out; with one image of each class there is no fold.
    """

    support: Support
    folds: tuple[HeldOutFold, ...]

    @classmethod
    def of(cls, head: Head, support: Support, seed: int, most: int = FOLDS) -> Self:
        """Refit a fitted `head` without each of at most `most` stratified folds."""
        folds = []
        for rows in support.held(seed, most):
            train = support.without(rows)
            given = train.items.given_to(type(head))
            refitted = head.refit(given, train.labels, train.texts)
            folds.append(HeldOutFold(refitted, support, rows))
        return cls(support, tuple(folds))

    def among(self, rows: Int[Tensor, " m"]) -> Self:
        """The same heads, and of the held-out images only those at `rows`."""
        kept = (replace(fold, rows=fold.rows[torch.isin(fold.rows, rows)]) for fold in self.folds)
        return replace(self, folds=tuple(kept))

    @cached_property
    def order(self) -> Int[Tensor, " n"]:
        """Positions of the held-out images, fold by fold."""
        return torch.cat([fold.rows for fold in self.folds])

    @cached_property
    def logits(self) -> Float[Tensor, "n c"]:
        """Of all held-out images, in the order of the support."""
        return torch.cat([fold.logits for fold in self.folds])[self.order.argsort()]

    @property
    def labels(self) -> Int[Tensor, " n"]:
        """Of all held-out images, in the order of the support."""
        return self.support.labels[self.order.sort().values]

    @cached_property
    def factor(self) -> float:
        """`1 / T`, which calibrates the logits; 1 where nothing is held out."""
        return fit_temperature(self.logits, self.labels) if self.folds else 1.0

    def blocks(self) -> Iterator[Float[Tensor, "b c"]]:
        """Logits fold by fold, never more than memory should hold at a time."""
        for fold in self.folds:
            for rows in fold.rows.split(max(1, _CELLS // self.support.classes)):
                yield replace(fold, rows=rows).logits.float()
