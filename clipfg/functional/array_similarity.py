"""`similarity` on NumPy arrays, for runs that need torch for nothing else."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError

Rows = NDArray[np.float32]
"""Of features, weights or logits: `[n, d]`, `[c, d]`, `[n, c]`."""


def as_array(values: Any) -> NDArray[Any]:
    """Numbers or a tensor of any device as an array; what has fewer than 32 bits as float32."""
    if not hasattr(values, "detach"):
        return np.asarray(values)
    tensor = values.detach().cpu()
    few = tensor.is_floating_point() and tensor.element_size() < 4
    array: NDArray[Any] = (tensor.float() if few else tensor).numpy()
    return array


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


def probabilities(logits: NDArray[Any], scoring: str = "softmax") -> Rows:
    """Probabilities in float32, from 0 to 1: of which one is right, or of each by itself.

    Raises `DataError` for a `scoring` other than "softmax" and "sigmoid".
    """
    values = logits.astype(np.float32)
    if scoring == "softmax":
        shares = np.exp(values - values.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)
    if scoring != "sigmoid":
        raise DataError(
            f"Expected argument `scoring` to be 'softmax' or 'sigmoid', got {scoring!r}."
        )
    small = np.exp(-np.abs(values))  # of -|z|, which cannot overflow
    return np.where(values < 0, small, 1) / (1 + small)


def confidence(logits: NDArray[Any]) -> NDArray[np.float32]:
    """The softmax probability `[n]` of the predicted class, from 1/c to 1."""
    return probabilities(logits).max(axis=1)


def top_classes(logits: NDArray[Any], k: int) -> NDArray[np.int64]:
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
