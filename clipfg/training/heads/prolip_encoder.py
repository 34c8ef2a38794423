"""ProLIP on the encoder as a head: its image projection is trained, held close to its start."""

from dataclasses import dataclass
from typing import ClassVar

from clipfg.training.heads.encoder_head import EncoderHead
from clipfg.training.recipes import Recipe
from clipfg.training.recipes import prolip_encoder as recipes


@dataclass(eq=False)
class ProlipEncoder(EncoderHead):
    """Trains by the recipe `prolip-encoder`; `prolip` is the same on cached features, and faster.

    Here images are mirrored at random, and the penalty is on the encoder's own weights.

    Source: Fahes et al. 2024, arXiv 2410.05270.
    """

    name: ClassVar[str] = "prolip-encoder"

    def recipe(self, shots: int) -> Recipe:  # noqa: ARG002 - its penalty knows
        """In batches of 64."""
        return recipes.ProlipEncoder(batch_size=64)
