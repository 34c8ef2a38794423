"""CLIP-LoRA: low-rank updates of both towers' attention."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from clipfg.training.recipes.base import Recipe


@dataclass(frozen=True, kw_only=True)
class ClipLora(Recipe):
    """Rank 2, without the paper's dropout; 500 steps are the paper's for one image a class."""

    name: ClassVar[str] = "clip-lora"
    source: ClassVar[str] = "Zanella and Ben Ayed 2024, arXiv 2405.18541"

    losses: str = "ce"
    trains: str = "lora:2"
    objective: Literal["retrieval", "classes"] = "classes"
    steps: int = 500
    batch_size: int = 32
    lr: float = 2e-4
    beta2: float = 0.999
