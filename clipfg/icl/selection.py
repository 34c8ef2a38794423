"""The interface of demonstration strategies: which labelled images are shown for a query."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.registry import Registry

T = TypeVar("T")
TEMPERATURE = 0.08
"""Of a vote; chosen on validation images (`python -m benchmarks.votes --part val`)."""
Order = Literal["first", "last"]
"""The place of the most similar demonstration: first, or last and so next to the question."""


@dataclass(frozen=True)
class Neighbours:
    """The labelled images of a store, seen from one query, most similar first.

    `similarities` are cosines with the query, descending; `keys` unit-norm features; `labels` class
    indices; `text_similarities` cosines of the query with the text of each image's class, or None.
    """

    similarities: Float[Tensor, " m"]
    keys: Float[Tensor, "m d"]
    labels: Int[Tensor, " m"]
    text_similarities: Float[Tensor, " m"] | None = None

    def __len__(self) -> int:
        return len(self.similarities)


class DemonstrationStrategy(ABC):
    """Selects demonstrations among a query's neighbours. All arguments have defaults."""

    name: ClassVar[str]

    needs_texts: ClassVar[bool] = False
    """Whether it uses `Neighbours.text_similarities`."""

    breadth: int = 1
    """How many of the nearest images it considers per shot."""

    def reach(self, shots: int) -> int | None:
        """How many of the nearest images it needs to select `shots`; None: all of them."""
        return self.breadth * shots

    @abstractmethod
    def choose(self, neighbours: Neighbours, shots: int) -> Int[Tensor, " k"]:
        """Positions among the neighbours, best first; at most `shots`."""


DEMONSTRATIONS: Registry[type[DemonstrationStrategy]] = Registry(
    "demonstration strategy", "clipfg.icl"
)
DEMONSTRATIONS.register_all(
    "clipfg.icl",
    ("nearest", "nearest:Nearest", "The most similar images"),
    ("per-class", "per_class:PerClass", "The most similar image of every class in turn"),
    ("diverse", "diverse:Diverse", "Similar to the photo, not to each other"),
    (
        "image-then-text",
        "image_then_text:ImageThenText",
        "Similar images, ordered by how well the text of their class fits",
    ),
)


def in_order(chosen: Sequence[T], order: Order) -> list[T]:
    """A selection, given best first, in the order in which it is shown."""
    return list(chosen) if order == "first" else list(reversed(chosen))


def vote(labels: Sequence[int], similarities: Sequence[float], classes: int) -> Float[Tensor, " c"]:
    """Votes of demonstrations, which come best first, for each class.

    Each counts `exp(s / t)`, with `s` its cosine less the largest and `t` `TEMPERATURE`: a class
    with a single image is not outvoted by number alone. Of equal scores that of the class that
    occurs first is larger, by next to nothing. This is what the neighbours alone tell, without a
    look at the query image.
    """
    most = max(similarities, default=0.0)
    scores = torch.zeros(classes)
    for position, (label, similar) in enumerate(zip(labels, similarities, strict=True)):
        if scores[label] == 0:
            scores[label] = 1e-3 * (1 - position / len(labels))
        scores[label] += math.exp((similar - most) / TEMPERATURE)
    return scores
