"""The contract of a selection: which labelled images are shown before the one in question."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.registry import Registry

T = TypeVar("T")
Order = Literal["first", "last"]
"""Where the most similar demonstration stands: first, or last and so next to the question."""


@dataclass(frozen=True)
class Neighbours:
    """Labelled images of a store as one query sees them, the most similar first.

    Parameters
    ----------
    similarities
        Cosines with the query `[m]`, falling.
    keys
        Their unit-norm features `[m, d]`.
    labels
        Their class indices `[m]`.
    text_similarities
        Cosines of the query with the text of each one's class `[m]`, or None.
    """

    similarities: Float[Tensor, " m"]
    keys: Float[Tensor, "m d"]
    labels: Int[Tensor, " m"]
    text_similarities: Float[Tensor, " m"] | None = None

    def __len__(self) -> int:
        return len(self.similarities)


class DemonstrationStrategy(ABC):
    """Chooses demonstrations among a query's neighbours. Arguments all have defaults."""

    name: ClassVar[str]
    """As it is registered in `DEMONSTRATIONS`."""

    needs_texts: ClassVar[bool] = False
    """Whether it looks at `Neighbours.text_similarities`."""

    def reach(self, shots: int) -> int | None:
        """How many of the nearest it has to see to choose `shots`; None: all there are."""
        return shots

    @abstractmethod
    def choose(self, neighbours: Neighbours, shots: int) -> Int[Tensor, " k"]:
        """Positions among the neighbours, the best first; fewer than `shots` if there are."""


DEMONSTRATIONS: Registry[type[DemonstrationStrategy]] = Registry(
    "demonstration strategy", "clipfg.icl"
)
DEMONSTRATIONS.register("nearest", "clipfg.icl.nearest:Nearest", "The most similar images")
DEMONSTRATIONS.register(
    "per-class", "clipfg.icl.per_class:PerClass", "The most similar image of every class in turn"
)
DEMONSTRATIONS.register(
    "diverse", "clipfg.icl.diverse:Diverse", "Similar to the photo, not to each other"
)
DEMONSTRATIONS.register(
    "image-then-text",
    "clipfg.icl.image_then_text:ImageThenText",
    "Similar images, ordered by how well the text of their class fits",
)


def in_order(chosen: Sequence[T], order: Order) -> list[T]:
    """What was chosen best first, in the order in which it is shown."""
    return list(chosen) if order == "first" else list(reversed(chosen))


def vote(labels: Sequence[int], classes: int) -> Float[Tensor, " c"]:
    """How often each class occurs among the labels of demonstrations, the best first.

    Of classes that occur equally often, the one met earlier is the higher, by less than a vote.
    This is what the labels shown say by themselves, with no look at the image in question.
    """
    scores = torch.zeros(classes)
    for position, label in enumerate(labels):
        if scores[label] == 0:
            scores[label] = 0.5 * (1 - position / len(labels))
        scores[label] += 1
    return scores
