"""Random: the control that every other strategy has to beat."""

import torch
from jaxtyping import Int
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool


def random(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """Images drawn without replacement, each as likely as any other."""
    generator = torch.Generator().manual_seed(pool.seed)
    return torch.randperm(len(pool), generator=generator)[: pool.check(budget)]
