"""Among: another head's logits of some classes alone."""

from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.heads.base import Head


class ClassSubset(Head):
    """The columns of a fitted head that a person has narrowed the question to.

    It is no head of its own to be learnt or registered: `around` takes one that is fitted.

    Parameters
    ----------
    columns
        Which classes, by their index in the other head.
    """

    name: ClassVar[str] = "among"
    whole_: Head

    def __init__(self, columns: tuple[int, ...] = ()) -> None:
        self.columns = columns

    def around(self, head: Head) -> Self:
        """Show some classes of `head`."""
        self.whole_ = head
        return self

    def fit(
        self,
        features: Float[Tensor, "n d"] | None = None,  # noqa: ARG002 - see `around`
        labels: Int[Tensor, " n"] | None = None,  # noqa: ARG002
        text_weights: Float[Tensor, "c d"] | None = None,  # noqa: ARG002
    ) -> Self:
        """Raises `UsageError`: what there is to learn, the other head has learnt."""
        raise UsageError("Expected a fitted head to narrow, got images; call around(head).")

    def logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Scores of the chosen classes, in their order."""
        self.check_fitted()
        return self.whole_.logits(features)[:, torch.tensor(self.columns)]
