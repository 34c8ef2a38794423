"""Random: seeded draws of each class, the control that every other strategy has to beat."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from clipfg.coresets.base import SelectionCoreset


@dataclass(eq=False)
class Random(SelectionCoreset):
    """Items drawn from each class without replacement, by a seed.

    The first items of a class would be no random sample: data come in an order.
    """

    name: ClassVar[str] = "random"

    seed: int = 0

    def select(self, rows: Tensor, m: int, generator: torch.Generator) -> Tensor:
        """The first `m` of a permutation."""
        return torch.randperm(len(rows), generator=generator)[:m].to(rows.device)
