"""Per class: the nearest image of each class, the nearest classes first."""

from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.icl.selection import DemonstrationStrategy, Neighbours


class PerClass(DemonstrationStrategy):
    """Class-balanced: no class is shown twice before every class was shown once.

    With fewer shots than classes, the classes with the nearest images are shown. All labels then
    differ, and their vote is the label of the nearest image.
    """

    name: ClassVar[str] = "per-class"

    def reach(self, shots: int) -> int | None:  # noqa: ARG002
        """All: a distant class may have its turn."""
        return None

    def choose(self, neighbours: Neighbours, shots: int) -> Int[Tensor, " k"]:
        """The nearest of each class by similarity, then the second nearest of each, and so on."""
        labels = neighbours.labels
        turns = torch.empty_like(labels)  # how many of its class come before each
        for label in labels.unique():
            own = (labels == label).nonzero().flatten()
            turns[own] = torch.arange(len(own), dtype=turns.dtype)
        return torch.sort(turns, stable=True).indices[:shots]
