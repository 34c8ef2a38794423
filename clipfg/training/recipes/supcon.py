"""Captions, and supervised contrast of images."""

from dataclasses import dataclass
from typing import ClassVar

from clipfg.training.recipes.base import Recipe


@dataclass(frozen=True, kw_only=True)
class SupCon(Recipe):
    """`losses=supcon` is the paper's alone; the text tower then loses touch with the images."""

    name: ClassVar[str] = "supcon"
    source: ClassVar[str] = "Khosla et al. 2020, arXiv 2004.11362, beside captions"

    losses: str = "contrastive + supcon"
    views: int = 2
