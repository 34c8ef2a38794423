"""Herding: items whose running mean stays close to the mean of their class."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from clipfg.coresets.base import SelectionCoreset


@dataclass(eq=False)
class Herding(SelectionCoreset):
    """Items whose running mean stays nearest to the mean of their class.

    `s_j = argmin_i |mu - (x_i + sum_{l < j} s_l) / j|`, over the items not chosen yet; `mu` is the
    plain mean of the class. Typical items come first.

    Source: Welling 2009, doi:10.1145/1553374.1553517; as exemplars of a class in Rebuffi et al.
    2017 (iCaRL), arXiv:1611.07725, algorithm 4.
    """

    name: ClassVar[str] = "herding"

    def select(self, rows: Tensor, m: int, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """The first `m`, in the order of their choice; of equally good rows the first."""
        chosen = torch.empty(m, dtype=torch.long, device=rows.device)
        taken = torch.zeros(len(rows), device=rows.device)
        mean, total = rows.mean(dim=0), torch.zeros_like(rows[0])
        for j in range(m):
            gaps = torch.linalg.vector_norm(mean - (rows + total) / (j + 1), dim=1)
            chosen[j] = (gaps + taken).argmin()
            taken[chosen[j]] = torch.inf
            total = total + rows[chosen[j]]
        return chosen
