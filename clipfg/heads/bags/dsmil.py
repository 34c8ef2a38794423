"""DSMIL: the most convincing instance, and all others by their likeness to it."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear

from clipfg.functional.segments import segment_max
from clipfg.heads.bags.base import BagHead
from clipfg.heads.bags.nets import Found, PoolingNet


class DsmilNet(PoolingNet):
    """Two streams, whose mean is the answer.

    The first takes each class's largest instance score `s_jk = (W h_j + b)_k`, at the critical
    instance `m_k`. The second pools values `v(h)` by `softmax_j(q(h_j).q(h_mk) / sqrt(m))`, and
    classifies the pooled rows of all classes together.
    """

    def __init__(self, d: int, width: int, classes: int, negative: int | None) -> None:
        super().__init__(d, width, classes, negative)
        self.instance = nn.Linear(width, self.evidence)
        self.query = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.value = nn.Linear(width, width)
        self.bag = nn.Conv1d(self.evidence, self.evidence, width)

    def survey(self, h: Float[Tensor, "r m"], offsets: Int[Tensor, " ends"]) -> Found:
        """The largest score of each class `[b, k]`, and the query of who has it `[b, k, m]`."""
        most, rows = segment_max(self.instance(h), offsets)
        return most, self._queries(h[rows])

    def merge(self, first: Found, second: Found) -> Found:
        """The critical instance of the part that has the larger score."""
        later = second[0] > first[0]
        most = torch.where(later, second[0], first[0])
        return most, torch.where(later[..., None], second[1], first[1])

    def attend(
        self, h: Float[Tensor, "r m"], offsets: Int[Tensor, " ends"], found: Found
    ) -> Float[Tensor, "r a"]:
        """Likeness to the critical instances, equation 5."""
        bags = zip(self._queries(h).split(offsets.diff().tolist()), found[1], strict=True)
        return torch.cat([own @ critical.T for own, critical in bags]) / math.sqrt(self.width)

    def values(self, h: Float[Tensor, "r m"]) -> Float[Tensor, "r m"]:
        """The information that is passed on."""
        passed: Tensor = self.value(h)
        return passed

    def classify(self, pooled: Float[Tensor, "b a m"], found: Found) -> Float[Tensor, "s b k"]:
        """The two streams."""
        # A convolution as wide as its input is a product, which takes a fraction of the time.
        whole = linear(pooled.flatten(1), self.bag.weight.flatten(1), self.bag.bias)
        return torch.stack([found[0], whole])

    def score(self, h: Float[Tensor, "r m"], attention: Float[Tensor, "r a"]) -> Tensor:  # noqa: ARG002
        """The first stream's score of each instance."""
        return self.instance(h)

    def _queries(self, h: Tensor) -> Tensor:
        return torch.tanh(self.query(h))


@dataclass(eq=False)
class Dsmil(BagHead):
    """Dual-stream pooling; see `BagHead`.

    Source: Li, Li and Eliceiri 2021, arXiv:2011.08939, equations 3 to 8.
    """

    name: ClassVar[str] = "dsmil"
    net: ClassVar = DsmilNet
