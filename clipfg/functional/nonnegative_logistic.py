"""Logistic regression whose weights are 0 or more, and few."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

STAGES = 3
"""Removals on the way to few weights, each by the same factor."""
STEPS = 100
"""Steps before each removal; twice as many at the end."""


def few_weights(
    x: Float[Tensor, "n k"], labels: Int[Tensor, " n"], classes: int, most: int, penalty: float
) -> Float[Tensor, "c k"]:
    """Weights `W >= 0` of `softmax(x @ W.T)`, at most `most` of them for a class.

    They minimise the mean negative log-likelihood plus `penalty * |W|^2 / 2c` among those that are
    kept. Kept are, in stages, the ones that add most to their class's own items (`x` is 0 or more).
    Every class must have an item.
    """
    truth = one_hot(labels, classes).T.to(x)
    means = (truth @ x) / truth.sum(dim=1, keepdim=True)
    weights = x.new_zeros(classes, x.shape[1])
    kept = torch.ones_like(weights, dtype=torch.bool)
    for stage in range(1, STAGES + 1):
        weights = _descend(x, truth, kept, weights, penalty, STEPS)
        count = round(x.shape[1] * (most / x.shape[1]) ** (stage / STAGES))
        best = (weights * means).topk(min(count, x.shape[1]), dim=1).indices
        kept = torch.zeros_like(kept).scatter(1, best, 1) & (weights > 0)
    return _descend(x, truth, kept, weights * kept, penalty, 2 * STEPS)


def _descend(
    x: Float[Tensor, "n k"],
    truth: Float[Tensor, "c n"],
    kept: Bool[Tensor, "c k"],
    start: Float[Tensor, "c k"],
    penalty: float,
    steps: int,
) -> Float[Tensor, "c k"]:
    """Accelerated projected gradient (Beck and Teboulle 2009, FISTA), restarted where it turns."""
    share = penalty / len(truth)
    # The Hessian of softmax is at most half the identity.
    rate = 1 / (torch.linalg.matrix_norm(x, 2) ** 2 / (2 * len(x)) + share)
    weights = ahead = start
    momentum = 1.0
    for _ in range(steps):
        wrong = (x @ ahead.T).softmax(dim=1).T - truth
        moved = (ahead - rate * (wrong @ x / len(x) + share * ahead)).clamp_min(0) * kept
        if float(((ahead - moved) * (moved - weights)).sum()) > 0:
            momentum = 1.0
        larger = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = moved + (momentum - 1) / larger * (moved - weights)
        weights, momentum = moved, larger
    return weights
