"""CLIP's own loss, on one's own images and captions."""

from dataclasses import dataclass
from typing import ClassVar

from clipfg.training.recipes.base import Recipe


@dataclass(frozen=True, kw_only=True)
class Contrastive(Recipe):
    """Symmetric cross-entropy of images against captions."""

    name: ClassVar[str] = "contrastive"
    source: ClassVar[str] = "Radford et al. 2021, arXiv 2103.00020"
