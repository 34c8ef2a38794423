"""FLYP: fine-tune as the encoder was pretrained, on texts of classes."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from clipfg.training.recipes.base import Recipe


@dataclass(frozen=True, kw_only=True)
class Flyp(Recipe):
    """Both towers, images against a text of their class."""

    name: ClassVar[str] = "flyp"
    source: ClassVar[str] = "Goyal et al. 2023, arXiv 2212.00638"

    losses: str = "flyp"
    objective: Literal["retrieval", "classes"] = "classes"
