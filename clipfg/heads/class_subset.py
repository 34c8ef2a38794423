"""The logits of another head for some of its classes only."""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.heads.base import Consumes, Head


@dataclass(eq=False)
class ClassSubset(Head):
    """Some of the columns of a fitted head; it is not fitted itself, and not registered.

    `columns` are the classes, by their index in that head.
    """

    name: ClassVar[str] = "class-subset"

    head: Head
    columns: tuple[int, ...]

    @property
    def consumes(self) -> Consumes:  # type: ignore[override]
        """What the whole head takes."""
        return self.head.consumes

    def fit(self, *_: object, **__: object) -> Self:
        """Raises `UsageError`: the whole head is what can be fitted."""
        raise UsageError(
            "A head narrowed to some of its classes cannot be fitted; fit the head itself."
        )

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Scores of the chosen classes, in their order."""
        return self.head.logits(features)[:, torch.tensor(self.columns)]
