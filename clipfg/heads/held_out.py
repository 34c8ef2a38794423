"""What a head says of images that it has not learnt from: fold by fold of its own support."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.heads.base import Head
from clipfg.heads.support import FOLDS, Support

_CELLS = 8_000_000  # logits held at once: 32 MB


@dataclass(frozen=True)
class HeldOutFold:
    """A head that has not seen the images of `support` at `rows`, but all others."""

    head: Head
    support: Support
    rows: Int[Tensor, " h"]

    @property
    def train(self) -> Support:
        """What the head has learnt from, where `rows` are a whole fold."""
        return self.support.without(self.rows)

    @property
    def features(self) -> Float[Tensor, "h d"]:
        """Of the images that it has not seen."""
        return self.support.features[self.rows]

    @property
    def logits(self) -> Float[Tensor, "h c"]:
        """What it says of them."""
        return self.head.logits(self.features)


def by_folds(head: Head, support: Support, seed: int, most: int = FOLDS) -> list[HeldOutFold]:
    """`head` fitted again without each of at most `most` stratified folds; none with one shot.

    Settings that the head chose on the whole support are kept. That lets a few numbers (a penalty,
    a shrinkage) see the held-out labels, and keeps the scale of logits, which temperatures and
    thresholds depend on: a setting chosen anew in each fold is another head's.

    The only image of a class is never held out.
    """
    parts = []
    for rows in support.held(seed, most):
        train = support.without(rows)
        parts.append(
            HeldOutFold(head.refit(train.features, train.labels, train.texts), support, rows)
        )
    return parts


def joined(
    parts: Sequence[HeldOutFold], values: Sequence[Float[Tensor, "h ..."]]
) -> tuple[Tensor, Int[Tensor, " n"]]:
    """The parts' values in the order of the support, and which positions they are of."""
    rows, order = torch.cat([part.rows for part in parts]).sort()
    return torch.cat(list(values))[order], rows


def held_out_logits(parts: Sequence[HeldOutFold]) -> tuple[Float[Tensor, "n c"], Int[Tensor, " n"]]:
    """All parts' logits in the order of the support, and which positions they are of."""
    return joined(parts, [part.logits for part in parts])


def among(parts: Sequence[HeldOutFold], rows: Int[Tensor, " m"]) -> list[HeldOutFold]:
    """The parts with those of their images alone that are at `rows`."""
    return [replace(part, rows=part.rows[torch.isin(part.rows, rows)]) for part in parts]


def logit_blocks(parts: Sequence[HeldOutFold]) -> Iterator[Float[Tensor, "b c"]]:
    """Logits in the order of the parts and of their rows, as few at a time as memory wants."""
    for part in parts:
        for rows in part.rows.split(max(1, _CELLS // part.support.classes)):
            yield replace(part, rows=rows).logits.float()
