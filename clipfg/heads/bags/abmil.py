"""ABMIL: attention learns which instances of a bag count."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clipfg.heads.bags.base import BagHead
from clipfg.heads.bags.nets import Found, PoolingNet


class AbmilNet(PoolingNet):
    """`a_j = w'(tanh(V h_j) * sigmoid(U h_j))`, `z = sum_j softmax(a)_j h_j`, `logits = W z + b`.

    Attention is one for all classes: it says which instances count, not what for.
    """

    def __init__(self, d: int, width: int, classes: int, negative: int | None) -> None:
        super().__init__(d, width, classes, negative)
        self.v, self.u = nn.Linear(width, width), nn.Linear(width, width)
        self.w = nn.Linear(width, 1)
        self.classifier = nn.Linear(width, self.evidence)

    def attend(
        self,
        h: Float[Tensor, "r m"],
        offsets: Int[Tensor, " ends"],  # noqa: ARG002
        found: Found,  # noqa: ARG002
    ) -> Float[Tensor, "r a"]:
        """Gated attention, equation 9."""
        gated: Tensor = self.w(torch.tanh(self.v(h)) * torch.sigmoid(self.u(h)))
        return gated

    def classify(self, pooled: Float[Tensor, "b a m"], found: Found) -> Float[Tensor, "s b k"]:  # noqa: ARG002
        """From the attended mean."""
        return self.classifier(pooled[:, 0])[None]

    def score(self, h: Float[Tensor, "r m"], attention: Float[Tensor, "r a"]) -> Tensor:  # noqa: ARG002
        """Attention itself."""
        return attention.expand(-1, self.evidence)


@dataclass(eq=False)
class Abmil(BagHead):
    """Attention-based pooling; see `BagHead`.

    Source: Ilse, Tomczak and Welling 2018, arXiv:1802.04712, equations 7 and 9.
    """

    name: ClassVar[str] = "abmil"
    net: ClassVar = AbmilNet
    attention: ClassVar[bool] = True
