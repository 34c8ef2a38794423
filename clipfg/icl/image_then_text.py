"""Image, then text: a shortlist of similar images, ranked by their texts."""

from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.icl.selection import DemonstrationStrategy, Neighbours


class ImageThenText(DemonstrationStrategy):
    """Of the nearest images, those whose text is nearest to the query.

    MMICES ranks by the similarity of two items' texts. When images are to be named, all questions
    are the same, so here the query is represented by its image in the shared embedding space, and
    a demonstration's text is that of its class.

    Source: Chen et al. 2023 (MMICES), arXiv:2311.18021, with the change above.
    """

    name: ClassVar[str] = "image-then-text"
    needs_texts: ClassVar[bool] = True

    def __init__(self, breadth: int = 10) -> None:
        self.breadth = breadth

    def choose(self, neighbours: Neighbours, shots: int) -> Int[Tensor, " k"]:
        """By text; images of the same class keep their order. Raises `UsageError` without texts."""
        if neighbours.text_similarities is None:
            raise UsageError(
                f"Expected class names for the strategy {self.name!r}, got a store without; try"
                " --strategy nearest."
            )
        shortlist = neighbours.text_similarities[: self.breadth * shots]
        return torch.sort(shortlist, descending=True, stable=True).indices[:shots]
