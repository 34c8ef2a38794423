"""Region-text distillation without the leak."""

from dataclasses import dataclass
from typing import ClassVar

from clipfg.training.recipes.base import Recipe


@dataclass(frozen=True, kw_only=True)
class Distill(Recipe):
    """Captions, regions against their phrases, and what the base sees in these regions."""

    name: ClassVar[str] = "distill"
    source: ClassVar[str] = "after DCLIP (arXiv 2505.21549), without its leak"

    losses: str = "contrastive + regions + 0.3 distillation"
    regions: int = 4
