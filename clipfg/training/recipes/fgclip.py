"""FG-CLIP's second stage."""

from dataclasses import dataclass
from typing import ClassVar

from clipfg.training.recipes.base import Recipe


@dataclass(frozen=True, kw_only=True)
class FgClip(Recipe):
    """FG-CLIP 2's losses for encoders that are scored by a sigmoid, else FG-CLIP 1's."""

    name: ClassVar[str] = "fgclip"
    source: ClassVar[str] = "Xie et al. 2025, arXiv 2505.05071 and 2510.10921, second stage"

    losses: str = "fgclip"
    trains: str = "all + scale"
    lr: float = 1e-6
    weight_decay: float = 0.001
    regions: int = 4
