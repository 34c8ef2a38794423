"""Picking from ranked candidates: no near-duplicates, and not too many of one class."""

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
    """Ascending positions of the first `k` candidates that pass; fewer if fewer do.

    A candidate is excluded if its cosine with one that was kept, or with a row of `above`, is
    at least `duplicate`, or if `per_class` of its label have been kept. Excluded candidates exclude
    no others. Labels below 0 mean "unknown" and are not limited.

    Raises `DataError` for a `k` or `per_class` below 1.
    """
    if k < 1 or (per_class is not None and per_class < 1):
        raise DataError(f"Expected k and per_class of at least 1, got {k} and {per_class}.")
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
