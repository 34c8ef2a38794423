"""Patches of an encoder made fit for prototypes, beside its texts as the classifier."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from clipfg.training.recipes.base import Recipe


@dataclass(frozen=True, kw_only=True)
class PatchPrototypes(Recipe):
    """The image tower's last block learns to show prototypes, which the head then finds.

    The encoder is what is kept; `clipfg fewshot --heads patch-prototypes` makes the head on it.
    The second view is the mirror image. `ce` keeps images where their classes' texts are.
    """

    name: ClassVar[str] = "patch-prototypes"
    source: ClassVar[str] = "after Oghbaie et al. 2025, arXiv 2506.10669, beside the classes' texts"

    losses: str = "ce + 0.5 patch-prototypes"
    trains: str = "last:1"
    objective: Literal["retrieval", "classes"] = "classes"
    epochs: float = 20.0
    prototypes: int = 128
