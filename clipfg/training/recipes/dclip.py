"""DCLIP as published: its teacher reads the captions that it is matched with."""

from dataclasses import dataclass
from typing import ClassVar

from clipfg.training.recipes.base import Recipe


@dataclass(frozen=True, kw_only=True)
class Dclip(Recipe):
    """To compare `distill` with; what it gains says nothing about regions."""

    name: ClassVar[str] = "dclip"
    source: ClassVar[str] = "Csizmadia et al. 2025, arXiv 2505.21549; it leaks captions"

    losses: str = "dclip"
    epochs: float = 2.0
    lr: float = 1e-6
    gradient_clip: float = 0.5
    temperature: float = 0.05
