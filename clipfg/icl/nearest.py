"""Nearest: the images most similar to the query image."""

from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.icl.selection import DemonstrationStrategy, Neighbours


class Nearest(DemonstrationStrategy):
    """The images with the largest cosines, whatever their classes.

    Source: Liu et al. 2022, "What Makes Good In-Context Examples for GPT-3?", arXiv:2101.06804;
    for images Zhang et al. 2023, arXiv:2301.13670.
    """

    name: ClassVar[str] = "nearest"

    def choose(self, neighbours: Neighbours, shots: int) -> Int[Tensor, " k"]:
        """The first ones."""
        return torch.arange(min(shots, len(neighbours)))
