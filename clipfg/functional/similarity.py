"""Cosine similarity as logits, and logits as probabilities."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import DataError

Scoring = Literal["softmax", "sigmoid"]


def unit_norm(rows: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Rows scaled to Euclidean norm 1, in float32.

    Rows within 1e-6 of norm 1 are returned unchanged, so that normalising twice is the same as
    normalising once. Raises `DataError` for a zero row or one that is not finite.
    """
    matrix = rows.float()
    norms = torch.linalg.vector_norm(matrix.double(), dim=1)
    bad = (~torch.isfinite(norms) | (norms == 0)).nonzero()
    if len(bad):
        raise DataError(
            f"Expected finite, non-zero rows, got {len(bad)} that are not (first: {int(bad[0])})."
        )
    off = (norms - 1).abs() > 1e-6
    return torch.where(off[:, None], matrix / norms[:, None].float(), matrix)


def cosine_logits(
    features: Float[Tensor, "n d"],
    weights: Float[Tensor, "c d"],
    scale: float = 1.0,
    bias: float = 0.0,
) -> Float[Tensor, "n c"]:
    """`scale * features @ weights.T + bias`, the logits of CLIP (and, with a bias, of SigLIP).

    For unit-norm rows on both sides the product is the cosine; nothing is normalised here. `scale`
    is the inverse temperature (CLIP: about 100).

    Raises `DataError` when the widths `d` differ.

    Source: Radford et al. 2021, arXiv:2103.00020, figure 3; Zhai et al. 2023, arXiv:2303.15343,
    algorithm 1 (the bias).
    """
    if features.shape[1] != weights.shape[1]:
        raise DataError(
            f"Expected features of width {weights.shape[1]}, as the class weights have, got width"
            f" {features.shape[1]}; both must come from the same encoder."
        )
    return scale * (features @ weights.T) + bias


def probabilities(
    logits: Float[Tensor, "n c"], scoring: Scoring = "softmax"
) -> Float[Tensor, "n c"]:
    """Probabilities in float32, from 0 to 1.

    `"softmax"`: exactly one class is right, and rows sum to 1 (CLIP). `"sigmoid"`: each class is
    right or wrong on its own, and rows need not sum to 1 (SigLIP). Raises `DataError` for any
    other `scoring`.
    """
    if scoring == "softmax":
        return logits.float().softmax(dim=1)
    if scoring == "sigmoid":
        return logits.float().sigmoid()
    raise DataError(f"Expected argument `scoring` to be 'softmax' or 'sigmoid', got {scoring!r}.")


def confidence(logits: Float[Tensor, "*n c"]) -> Float[Tensor, "*n"]:
    """The softmax probability of the predicted class, from 1/c to 1."""
    return logits.float().softmax(dim=-1).amax(dim=-1)


def top_classes(logits: Float[Tensor, "n c"], k: int) -> Int[Tensor, "n k"]:
    """The `k` classes of the largest logits, best first; of equal ones the lower index first.

    `torch.topk` does not define the order of ties; here the first column is always the prediction
    that `rank_of_truth` scores. Raises `DataError` unless `1 <= k <= c`.
    """
    if not 1 <= k <= logits.shape[1]:
        raise DataError(f"Expected argument `k` from 1 to {logits.shape[1]} classes, got {k}.")
    left = logits.clone()
    chosen = []
    for _ in range(k):
        best = left.argmax(dim=1, keepdim=True)  # of equal maxima torch returns the first
        chosen.append(best)
        left.scatter_(1, best, -torch.inf)
    return torch.cat(chosen, dim=1)
