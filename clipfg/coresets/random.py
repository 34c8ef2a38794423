"""Random: seeded draws of each class, the control that every other strategy has to beat."""

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.coresets.base import SelectionCoreset


class Random(SelectionCoreset):
    """Items drawn from each class without replacement.

    Parameters
    ----------
    seed
        Of the draws. (The first items of a class are no random sample: data come in an order.)
    """

    name: ClassVar[str] = "random"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def select(
        self, rows: Float[Tensor, "n d"], m: int, generator: torch.Generator
    ) -> Int[Tensor, " m"]:
        """The first `m` of a permutation."""
        return torch.randperm(len(rows), generator=generator)[:m].to(rows.device)
