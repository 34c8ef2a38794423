"""Farthest-first traversal: rows that leave no other far from all of them."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def farthest_first(
    rows: Float[Tensor, "n d"], count: int, covered: Float[Tensor, "m d"] | None = None
) -> Int[Tensor, " k"]:
    """`count` positions, each next one the row whose largest cosine with those before is least.

    Rows are of unit norm and at least `count`. `covered` rows count as chosen before; with none it
    begins nearest the mean. Of equally far rows the first comes first, and none comes twice.

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
        closest[chosen[i]] = torch.inf  # never twice, also among copies
    return chosen
