"""TypiClust: the most typical image of each cluster that has no label yet."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool
from clipfg.functional.kmeans import kmeans

NEIGHBOURS = 20
MOST_CLUSTERS = 500
LEAST_MEMBERS = 5


def typiclust(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """Cluster all images, then label the most typical image of one cluster after the other.

    There are as many clusters as there will be labels, at most 500. Those with the fewest labels
    come first, the largest of them first; clusters of fewer than five images come last.

    Source: Hacohen et al. 2022, arXiv:2202.02794, algorithm 1, with k-means on these features,
    whose greedy start finds more of the classes than a plain one (docs/benchmarks/suggest.md).
    """
    budget = pool.check(budget)
    rows = torch.cat([pool.features, pool.labelled])
    generator = torch.Generator().manual_seed(pool.seed)
    k = min(len(pool.labelled) + budget, MOST_CLUSTERS, len(rows))
    members = kmeans(rows, k, generator, iterations=20).members
    own, taken = members[: len(pool)], members[len(pool) :]
    ranked = [_by_typicality(pool.features, (own == c).nonzero().flatten()) for c in range(k)]
    labels = torch.bincount(taken, minlength=k).tolist()
    sizes = torch.bincount(members, minlength=k).tolist()
    chosen: list[int] = []
    while len(chosen) < budget:
        left = [c for c in range(k) if ranked[c]]
        best = min(left, key=lambda c: (sizes[c] < LEAST_MEMBERS, labels[c], -sizes[c]))
        chosen.append(ranked[best].pop(0))
        labels[best] += 1
    return torch.tensor(chosen, device=rows.device)


def _by_typicality(x: Tensor, rows: Tensor) -> list[int]:
    order = typicality(x[rows]).argsort(descending=True, stable=True) if len(rows) else rows
    return [int(row) for row in rows[order]]


def typicality(x: Float[Tensor, "n d"], neighbours: int = NEIGHBOURS) -> Float[Tensor, " n"]:
    """`1 / mean distance to the nearest others`; infinite among copies, 0 for a single row.

    Source: Hacohen et al. 2022, arXiv:2202.02794, equation 4.
    """
    if len(x) < 2:
        return torch.zeros(len(x), device=x.device)
    distances = torch.cdist(x, x).fill_diagonal_(torch.inf)
    nearest = distances.topk(min(neighbours, len(x) - 1), largest=False).values
    return 1 / nearest.mean(dim=1)
