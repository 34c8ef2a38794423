"""`similarity` on NumPy arrays, for runs that need torch for nothing else."""

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError

Rows = NDArray[np.float32]
"""Of features, weights or logits: `[n, d]`, `[c, d]`, `[n, c]`."""


def cosine_logits(
    features: Rows,
    weights: Rows,
    scale: float = 1.0,
    bias: float = 0.0,
) -> Rows:
    """`scale * features @ weights.T + bias`. Raises `DataError` when the widths `d` differ."""
    if features.shape[1] != weights.shape[1]:
        raise DataError(
            f"Expected features of width {weights.shape[1]}, as the class weights have, got width"
            f" {features.shape[1]}; both must come from the same encoder."
        )
    return scale * (features @ weights.T) + bias


def probabilities(logits: Rows, scoring: str = "softmax") -> Rows:
    """Probabilities in float32, from 0 to 1: of which one is right, or of each by itself."""
    values = logits.astype(np.float32)
    if scoring == "softmax":
        shares = np.exp(values - values.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)
    small = np.exp(-np.abs(values))  # of -|z|, which cannot overflow
    return np.where(values < 0, small, 1) / (1 + small)


def top_classes(logits: Rows, k: int) -> NDArray[np.int64]:
    """The `k` classes of the largest logits `[n, k]`, best first; of equal ones the lower index.

    Raises `DataError` unless `1 <= k <= c`.
    """
    if not 1 <= k <= logits.shape[1]:
        raise DataError(f"Expected argument `k` from 1 to {logits.shape[1]} classes, got {k}.")
    left = logits.copy()
    chosen = []
    for _ in range(k):
        best = left.argmax(axis=1)[:, None]  # of equal maxima NumPy returns the first
        chosen.append(best)
        np.put_along_axis(left, best, -np.inf, axis=1)
    return np.concatenate(chosen, axis=1)


def class_means(rows: Rows, owners: NDArray[np.int64]) -> Rows:
    """The mean `[c, d]` of the rows of each class; `owners` `[t]` has each of them."""
    sums = np.zeros((int(owners.max()) + 1, rows.shape[1]), dtype=np.float32)
    np.add.at(sums, owners, rows)
    counts: NDArray[np.float32] = np.bincount(owners).astype(np.float32)
    return sums / counts[:, None]
