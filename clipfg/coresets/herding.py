"""Herding: items whose running mean stays close to the mean of their class."""

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.coresets.base import SelectionCoreset


class Herding(SelectionCoreset):
    """Items whose running mean stays nearest to the mean of their class.

    `s_j = argmin_i |mu - (x_i + sum_{l < j} s_l) / j|`, over the items not chosen yet; `mu` is the
    plain mean of the class. What is chosen first is what is typical.

    Source: Welling 2009, doi:10.1145/1553374.1553517; as exemplars of a class in Rebuffi et al.
    2017 (iCaRL), arXiv:1611.07725, algorithm 4.
    """

    name: ClassVar[str] = "herding"

    def select(
        self,
        rows: Float[Tensor, "n d"],
        m: int,
        generator: torch.Generator,  # noqa: ARG002
    ) -> Int[Tensor, " m"]:
        """The first `m`, in the order of their choice; of equally good rows the first."""
        chosen = torch.empty(m, dtype=torch.long, device=rows.device)
        left = torch.zeros(len(rows), device=rows.device)
        mean, total = rows.mean(dim=0), torch.zeros_like(rows[0])
        for j in range(m):
            gaps = torch.linalg.vector_norm(mean - (rows + total) / (j + 1), dim=1)
            chosen[j] = (gaps + left).argmin()
            left[chosen[j]] = torch.inf
            total = total + rows[chosen[j]]
        return chosen
