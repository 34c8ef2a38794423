"""ProLIP on the encoder itself: its last projection, held close to where it began."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from clipfg.training.recipes.base import Recipe


@dataclass(frozen=True, kw_only=True)
class ProlipEncoder(Recipe):
    """`anchor` holds the weights by lambda = 1 / images a class."""

    name: ClassVar[str] = "prolip-encoder"
    source: ClassVar[str] = "Fahes et al. 2024, arXiv 2410.05270"

    losses: str = "ce + anchor"
    trains: str = "projection"
    objective: Literal["retrieval", "classes"] = "classes"
    epochs: float = 50.0
    batch_size: int = 512
    weight_decay: float = 0.0
    beta2: float = 0.999
