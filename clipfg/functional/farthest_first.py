"""Farthest-first traversal: rows that leave no other row far from all of them."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def farthest_first(
    rows: Float[Tensor, "n d"], count: int, covered: Float[Tensor, "m d"] | None = None
) -> Int[Tensor, " k"]:
    """`count` positions, each the row whose largest cosine with those before it is smallest.

    There are at least `count` unit-norm rows. `covered` rows count as chosen before; without any,
    the row nearest the mean is first. Of equally far rows the first is taken, and none twice.

    Source: Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5.
    """
    chosen = torch.empty(count, dtype=torch.long, device=rows.device)
    closest = torch.full((len(rows),), -torch.inf, device=rows.device)
    blocks = covered.split(1024) if covered is not None and len(covered) else ()
    for block in blocks:
        closest = torch.maximum(closest, (rows @ block.T).amax(dim=1))
    for i in range(count):
        chosen[i] = closest.argmin() if blocks or i else (rows @ rows.mean(dim=0)).argmax()
        closest = torch.maximum(closest, rows @ rows[chosen[i]])
        closest[chosen[i]] = torch.inf  # never twice, even among copies
    return chosen
