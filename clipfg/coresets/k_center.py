"""k-center: items that leave no other item of their class far from all of them."""

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.coresets.base import Selection


class KCenter(Selection):
    """Farthest-first traversal of each class, from the item nearest its mean.

    `s_j = argmin_i max_{l < j} cos(x_i, s_l)`: each next item is the one least similar to those
    chosen so far. The largest distance from an item to its nearest chosen one is at most twice the
    least possible. It covers a class, outliers first; it does not look for what is typical.

    Source: Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5; on learnt features Sener and Savarese
    2018, arXiv:1708.00489, algorithm 1. On unit-norm rows the least cosine is the largest distance.
    """

    name: ClassVar[str] = "k-center"

    def select(
        self,
        rows: Float[Tensor, "n d"],
        m: int,
        generator: torch.Generator,  # noqa: ARG002
    ) -> Int[Tensor, " m"]:
        """The first `m` of the traversal; of equally far rows the first."""
        chosen = torch.empty(m, dtype=torch.long, device=rows.device)
        closest = torch.full((len(rows),), -torch.inf, device=rows.device)
        chosen[0] = (rows @ rows.mean(dim=0)).argmax()
        for i in range(1, m):
            closest = torch.maximum(closest, rows @ rows[chosen[i - 1]])
            closest[chosen[i - 1]] = torch.inf  # never twice, also where all rows are equal
            chosen[i] = closest.argmin()
        return chosen
