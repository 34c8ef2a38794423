"""Bag max: a bag is what its most convincing instance is."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clipfg.functional.segments import segment_max
from clipfg.heads.bags.base import BagHead
from clipfg.heads.bags.nets import Found, PoolingNet


class MaxNet(PoolingNet):
    """`logits_k = max_j (W h_j + b)_k`, and what stands in the brackets scores an instance."""

    def __init__(self, d: int, width: int, classes: int, negative: int | None) -> None:
        super().__init__(d, width, classes, negative)
        self.classifier = nn.Linear(width, self.evidence)

    def survey(self, h: Float[Tensor, "r m"], offsets: Int[Tensor, " ends"]) -> Found:
        """The largest score of each bag."""
        return (segment_max(self.classifier(h), offsets)[0],)

    def merge(self, first: Found, second: Found) -> Found:
        """The larger."""
        return (torch.maximum(first[0], second[0]),)

    def classify(self, pooled: Float[Tensor, "b a m"], found: Found) -> Float[Tensor, "s b k"]:  # noqa: ARG002
        """The largest scores."""
        return found[0][None]

    def score(self, h: Float[Tensor, "r m"], attention: Float[Tensor, "r a"]) -> Tensor:  # noqa: ARG002
        """Of each instance by itself."""
        return self.classifier(h)


@dataclass(eq=False)
class BagMax(BagHead):
    """The baseline for evidence that is in one instance of a bag; see `BagHead`."""

    name: ClassVar[str] = "bag-max"
    net: ClassVar = MaxNet
