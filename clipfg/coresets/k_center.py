"""k-center: items that leave no other item of their class far from all of them."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from clipfg.coresets.base import SelectionCoreset
from clipfg.functional.farthest_first import farthest_first


@dataclass(eq=False)
class KCenter(SelectionCoreset):
    """Farthest-first traversal of each class, from the item nearest its mean.

    `s_j = argmin_i max_{l < j} cos(x_i, s_l)`: each next item is the one least similar to those
    chosen so far. The largest distance from an item to its nearest chosen one is at most twice the
    smallest possible. It covers a class, outliers first; it does not look for what is typical.

    Source: Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5; on learnt features Sener and Savarese
    2018, arXiv:1708.00489, algorithm 1. On unit-norm rows the least cosine is the largest distance.
    """

    name: ClassVar[str] = "k-center"

    def select(self, rows: Tensor, m: int, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """The first `m` of the traversal; of equally far rows the first."""
        return farthest_first(rows, m)
