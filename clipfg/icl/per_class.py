"""Per class: the nearest image of each class, the nearest classes first."""

from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.icl.selection import DemonstrationStrategy, Neighbours


class PerClass(DemonstrationStrategy):
    """Class-balanced: no class is shown a second time before every class was shown once.

    With fewer shots than classes, those whose nearest image is the most similar are shown. The
    labels shown then differ from each other, and their vote says no more than the nearest one.
    """

    name: ClassVar[str] = "per-class"

    def reach(self, shots: int) -> int | None:  # noqa: ARG002
        """All: a class far away may have its turn."""
        return None

    def choose(self, neighbours: Neighbours, shots: int) -> Int[Tensor, " k"]:
        """The nearest of each class by similarity, then the second nearest of each, and so on."""
        labels = neighbours.labels
        turns = torch.empty_like(labels)  # how many of its class stand before each
        for label in labels.unique():
            own = (labels == label).nonzero().flatten()
            turns[own] = torch.arange(len(own), dtype=turns.dtype)
        return torch.sort(turns, stable=True).indices[:shots]
