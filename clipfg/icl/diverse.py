"""Diverse: similar to the query image, but not to each other."""

from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.icl.selection import DemonstrationStrategy, Neighbours


class Diverse(DemonstrationStrategy):
    """Maximal marginal relevance on cosines.

    The first is the nearest; then, one by one,
    `argmax_i  w cos(q, k_i) - (1 - w) max_{j chosen} cos(k_i, k_j)`.

    `relevance` is the weight `w`: 1 is `nearest`, 0 considers diversity only.

    Source: Carbonell and Goldstein 1998, doi:10.1145/290941.291025; for demonstrations Ye et al.
    2023, arXiv:2211.13892.
    """

    name: ClassVar[str] = "diverse"

    def __init__(self, relevance: float = 0.5, breadth: int = 10) -> None:
        self.relevance = relevance
        self.breadth = breadth

    def choose(self, neighbours: Neighbours, shots: int) -> Int[Tensor, " k"]:
        """Greedy selection; ties go to the more similar image."""
        keys, relevant = neighbours.keys, self.relevance * neighbours.similarities
        closest = torch.zeros(len(neighbours))  # to any chosen one; none at first
        chosen: list[int] = []
        for _ in range(min(shots, len(neighbours))):
            gain = relevant - (1 - self.relevance) * closest
            gain[chosen] = -torch.inf
            best = int(gain.argmax())
            own = keys @ keys[best]
            closest = torch.maximum(closest, own) if chosen else own
            chosen.append(best)
        return torch.tensor(chosen, dtype=torch.long)
