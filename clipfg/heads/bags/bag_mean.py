"""Bag mean: the mean of a bag's instances, and a linear classifier of it."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from clipfg.heads.bags.base import BagHead
from clipfg.heads.bags.nets import Found, PoolingNet


class MeanNet(PoolingNet):
    """`logits = W mean_j h_j + b`; an instance's score is what it adds: `W h_j + b`."""

    def __init__(self, d: int, width: int, classes: int, negative: int | None) -> None:
        super().__init__(d, width, classes, negative)
        self.classifier = nn.Linear(width, self.evidence)

    def classify(self, pooled: Float[Tensor, "b a m"], found: Found) -> Float[Tensor, "s b k"]:  # noqa: ARG002
        """From the mean."""
        return self.classifier(pooled[:, 0])[None]

    def score(self, h: Float[Tensor, "r m"], attention: Float[Tensor, "r a"]) -> Tensor:  # noqa: ARG002
        """The same classifier on each instance."""
        return self.classifier(h)


@dataclass(eq=False)
class BagMean(BagHead):
    """The baseline for evidence that is in most instances of a bag; see `BagHead`."""

    name: ClassVar[str] = "bag-mean"
    net: ClassVar = MeanNet
