"""An adapter that can be merged into a checkpoint: linear, of low rank."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from clipfg.training.recipes.base import Recipe


@dataclass(frozen=True, kw_only=True)
class Adapter(Recipe):
    """CLIP-Adapter's bottleneck without its ReLU, for which a checkpoint has no place."""

    name: ClassVar[str] = "adapter"
    source: ClassVar[str] = "after Gao et al. 2021, arXiv 2110.04544, linear"

    losses: str = "ce"
    trains: str = "adapter:16"
    objective: Literal["retrieval", "classes"] = "classes"
    epochs: float = 50.0
    lr: float = 1e-4
