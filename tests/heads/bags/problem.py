"""Small bags whose key instances are known."""

import torch
from torch import Tensor

from clipfg.heads import FeatureSets


def bags(count: int = 24, d: int = 8, seed: int = 0) -> tuple[FeatureSets, Tensor, Tensor]:
    """Bags of 3 to 9 rows, labels 0 and 1 in turn, and which rows are key instances."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    sizes = torch.randint(3, 10, (count,), generator=generator)
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), sizes.cumsum(0)])
    rows = torch.randn(int(offsets[-1]), d, generator=generator)
    key = torch.zeros(len(rows), dtype=torch.bool)
    for bag in labels.nonzero().flatten().tolist():
        key[offsets[bag + 1] - 1] = True
    rows[key, 0] += 6
    return FeatureSets(rows, offsets), labels, key
