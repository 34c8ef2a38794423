"""Which of ranked candidates are worth showing: no near-duplicates, no class in excess."""

from collections import Counter

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import DataError


def pick(
    features: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    k: int,
    *,
    per_class: int | None = None,
    duplicate: float | None = None,
    above: Float[Tensor, "m d"] | None = None,
) -> Int[Tensor, " j"]:
    """The first `k` candidates that pass, as positions in their order; fewer where fewer do.

    A candidate is left out when its cosine with one that was kept, or with a row of `above`, is
    at least `duplicate`, or when `per_class` of its label have been kept. What is left out keeps
    nothing else out. Labels below 0 mean "not known" and are never in excess.

    Raises `DataError` for a `k` or `per_class` below 1.
    """
    if k < 1 or (per_class is not None and per_class < 1):
        raise DataError(f"Expected k and per_class from 1 up, got {k} and {per_class}.")
    seen = features[:0] if above is None else above
    kept: list[int] = []
    counts: Counter[int] = Counter()
    for position, label in enumerate(labels.tolist()):
        if len(kept) == k:
            break
        if per_class is not None and label >= 0 and counts[label] >= per_class:
            continue
        own = features[position : position + 1]
        if duplicate is not None:
            if (seen @ own.T >= duplicate).any():
                continue
            seen = torch.cat([seen, own])
        counts[label] += 1
        kept.append(position)
    return torch.tensor(kept, dtype=torch.long)
