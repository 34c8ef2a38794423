"""Captions, and variational supervised contrast of images."""

from dataclasses import dataclass
from typing import ClassVar

from clipfg.training.recipes.base import Recipe


@dataclass(frozen=True, kw_only=True)
class VarCon(Recipe):
    """`losses=varcon` is the paper's alone; the text tower then loses touch with the images."""

    name: ClassVar[str] = "varcon"
    source: ClassVar[str] = (
        "Wang et al. 2025, Variational Supervised Contrastive Learning, beside captions"
    )

    losses: str = "contrastive + varcon"
    views: int = 2
    epsilon: float = 0.02
    """How much the targets soften with confidence; under `temperature`."""
