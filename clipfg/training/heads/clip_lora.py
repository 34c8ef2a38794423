"""CLIP-LoRA as a head: low-rank updates of both towers' attention."""

from dataclasses import dataclass, replace
from typing import ClassVar

from clipfg.training.heads.encoder_head import EncoderHead
from clipfg.training.recipes import Recipe
from clipfg.training.recipes import clip_lora as recipes


@dataclass(eq=False)
class ClipLora(EncoderHead):
    """Trains by the recipe `clip-lora`, the paper's 500 steps for each image a class, capped.

    Source: Zanella and Ben Ayed 2024, arXiv 2405.18541.
    """

    name: ClassVar[str] = "clip-lora"

    def recipe(self, shots: int) -> Recipe:
        """500 steps times `shots`."""
        recipe = recipes.ClipLora()
        return replace(recipe, steps=recipe.steps * shots)
