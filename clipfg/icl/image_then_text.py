"""Image, then text: a shortlist by similar images, ordered by their texts."""

from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.icl.selection import DemonstrationStrategy, Neighbours


class ImageThenText(DemonstrationStrategy):
    """The nearest images first, and of those the ones whose text is nearest to the query.

    MMICES ranks by the similarity of the texts of two items. Where images are to be named, all
    questions read the same, so here the query's side is its image in the encoder's shared space,
    and a demonstration's text is that of its class.

    Parameters
    ----------
    breadth
        How many of the nearest are on the shortlist for each shot.

    Source: Chen et al. 2023 (MMICES), arXiv:2311.18021, with the change above.
    """

    name: ClassVar[str] = "image-then-text"
    needs_texts: ClassVar[bool] = True

    def __init__(self, breadth: int = 10) -> None:
        self.breadth = breadth

    def reach(self, shots: int) -> int | None:
        """`breadth` for each shot."""
        return self.breadth * shots

    def choose(self, neighbours: Neighbours, shots: int) -> Int[Tensor, " k"]:
        """By text; images of one class keep their order. Raises `UsageError` without texts."""
        if neighbours.text_similarities is None:
            raise UsageError(
                f"Expected class names for the {self.name} strategy, got a store without any; try"
                " --strategy nearest."
            )
        shortlist = neighbours.text_similarities[: self.breadth * shots]
        return torch.sort(shortlist, descending=True, stable=True).indices[:shots]
