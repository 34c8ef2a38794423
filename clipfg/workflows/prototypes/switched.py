"""A head with prototypes switched off, beside the whole one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from jaxtyping import Float
from torch import Tensor

from clipfg.errors import UsageError
from clipfg.heads import FeatureSets, Head
from clipfg.heads.base import Consumes
from clipfg.heads.patch_prototypes import PatchPrototypes
from clipfg.workflows.prototypes.saved import prototypes_of


@dataclass(eq=False)
class SwitchedHead(Head[FeatureSets]):
    """Answers by what is left of a head, and counts the answers that are others for it.

    It is not fitted itself, and not registered.
    """

    name: ClassVar[str] = "patch-prototypes"
    consumes: ClassVar[Consumes] = "patches"

    whole: PatchPrototypes
    left: PatchPrototypes
    answers: int = 0
    changed: int = 0

    @classmethod
    def of(cls, head: Head[Any], numbers: Sequence[int]) -> Self:
        """Without some prototypes. Raises `UsageError` for a head that has none of them."""
        whole = prototypes_of(head)
        return cls(whole, whole.without(numbers))

    def fit(self, *_: object, **__: object) -> Self:
        """Raises `UsageError`: the whole head is what can be fitted."""
        raise UsageError("A head with prototypes switched off cannot be fitted; fit the head.")

    def logits(self, features: FeatureSets) -> Float[Tensor, "n c"]:
        """Scores without the prototypes that are switched off."""
        left, whole = self.left.logits(features), self.whole.logits(features)
        self.answers += len(left)
        self.changed += int((left.argmax(dim=1) != whole.argmax(dim=1)).sum())
        return left

    @property
    def said(self) -> str:
        """What switching off has changed so far."""
        numbers = ", ".join(map(str, self.left.off_))
        return f"Without {numbers}: {self.changed:,} of {self.answers:,} answers are others"
