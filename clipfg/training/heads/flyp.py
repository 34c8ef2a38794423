"""FLYP as a head: the encoder is trained on as it was pretrained, with texts of the classes."""

from dataclasses import dataclass
from typing import ClassVar

from clipfg.training.heads.encoder_head import EncoderHead
from clipfg.training.recipes import Recipe
from clipfg.training.recipes import flyp as recipes


@dataclass(eq=False)
class Flyp(EncoderHead):
    """Trains both towers by the recipe `flyp`, in smaller batches and for more epochs.

    A contrastive batch of few classes has few negatives, and an epoch of few images is no step.

    Source: Goyal et al. 2023, arXiv 2212.00638.
    """

    name: ClassVar[str] = "flyp"

    def recipe(self, shots: int) -> Recipe:  # noqa: ARG002 - the same for any
        """50 epochs of batches of 64."""
        return recipes.Flyp(epochs=50, batch_size=64)
