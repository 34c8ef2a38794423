"""SigLIP's loss: each pair of an image and a text by itself."""

from dataclasses import dataclass
from typing import ClassVar

from clipfg.training.recipes.base import Recipe


@dataclass(frozen=True, kw_only=True)
class Sigmoid(Recipe):
    """For encoders that are scored by a sigmoid."""

    name: ClassVar[str] = "sigmoid"
    source: ClassVar[str] = "Zhai et al. 2023, arXiv 2303.15343"

    losses: str = "sigmoid"
