"""MI-Net: the maximum of each hidden feature over a bag, and a linear classifier of those."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clipfg.functional.segments import segment_amax
from clipfg.heads.bags.base import BagHead
from clipfg.heads.bags.nets import Found, PoolingNet


class MaximaNet(PoolingNet):
    """`logits = W max_j h_j + b`, the maximum column by column.

    Columns stand for different things, each of which some instance may show, so that a bag can be
    of a class by holding two of them. An instance's score is what it would make of a bag alone:
    `W h_j + b`.
    """

    def __init__(self, d: int, width: int, classes: int, negative: int | None) -> None:
        super().__init__(d, width, classes, negative)
        # Dropout would leave out the one instance that has the maximum.
        self.adapter = nn.Sequential(nn.Linear(d, width), nn.ReLU())
        self.classifier = nn.Linear(width, self.evidence)

    def survey(self, h: Float[Tensor, "r m"], offsets: Int[Tensor, " ends"]) -> Found:
        """The maximum of each column in each bag."""
        return (segment_amax(h, offsets),)

    def merge(self, first: Found, second: Found) -> Found:
        """The larger."""
        return (torch.maximum(first[0], second[0]),)

    def classify(self, pooled: Float[Tensor, "b a m"], found: Found) -> Float[Tensor, "s b k"]:  # noqa: ARG002
        """From the maxima."""
        return self.classifier(found[0])[None]

    def score(self, h: Float[Tensor, "r m"], attention: Float[Tensor, "r a"]) -> Tensor:  # noqa: ARG002
        """Of each instance by itself."""
        return self.classifier(h)


@dataclass(eq=False)
class MiNet(BagHead):
    """For bags that are of a class by several things at once; see `BagHead`.

    Source: Wang et al. 2018, "Revisiting multiple instance neural networks", arXiv:1610.02501, with
    one hidden layer.
    """

    name: ClassVar[str] = "mi-net"
    net: ClassVar = MaximaNet
