"""k-center: pictures that leave no other far from all that are labelled."""

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.mining.base import Unlabelled


def k_center(pool: Unlabelled, budget: int) -> Int[Tensor, " b"]:
    """Farthest-first traversal, labelled pictures counting as covered.

    Each next picture is the one whose largest cosine with labelled and chosen ones is least. With
    nothing labelled it begins nearest the mean. What lies far from everything comes first, outliers
    among it: coverage in the worst case, not on average.

    Source: Sener and Savarese 2018, arXiv:1708.00489, algorithm 1.
    """
    x = pool.features
    chosen = torch.empty(pool.check(budget), dtype=torch.long, device=x.device)
    closest = torch.full((len(x),), -torch.inf, device=x.device)
    for block in pool.labelled.split(1024) if len(pool.labelled) else ():
        closest = torch.maximum(closest, (x @ block.T).amax(dim=1))
    for i in range(len(chosen)):
        first = i == 0 and not len(pool.labelled)
        chosen[i] = (x @ x.mean(dim=0)).argmax() if first else closest.argmin()
        closest = torch.maximum(closest, x @ x[chosen[i]])
        closest[chosen[i]] = torch.inf  # never twice, also among copies
    return chosen
