"""A linear classifier of instances that learns from what is known of their bags."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from clipfg.functional.logistic import Linear
from clipfg.functional.segments import segment_of_rows, segment_sum

NEGATIVE_WEIGHT = 0.1
PENALTY = 0.05
ROUNDS, ITERATIONS = 6, 12
"""Soft labels are made so many times, and each time so many steps of L-BFGS are taken at most."""


def student_loss(
    scores: Float[Tensor, "r k"], soft: Float[Tensor, "r k"], weight: float = NEGATIVE_WEIGHT
) -> Float[Tensor, ""]:
    """`-mean[w (1 - q) log(1 - s) + (1 - w) q log s]`, `s = sigmoid(scores)`, `q` soft labels.

    Most instances of a positive bag are negative, which `w` makes up for.
    """
    against, for_ = (1 - soft) * logsigmoid(-scores), soft * logsigmoid(scores)
    return -(weight * against + (1 - weight) * for_).mean()


def posterior(
    scores: Float[Tensor, "r k"], positive: Float[Tensor, "r k"], offsets: Int[Tensor, " ends"]
) -> Float[Tensor, "r k"]:
    """The chance that a row is of the class, given that one of its bag is.

    `p / (1 - prod_bag(1 - p))`, `p = sigmoid(scores)`; 0 where `positive` is.
    """
    none = segment_sum(logsigmoid(-scores), offsets).exp()
    some = (1 - none).clamp_min(1e-6)[segment_of_rows(offsets)]
    return positive * (scores.sigmoid() / some).clamp_max(1)


def learn(
    x: Float[Tensor, "r d"],
    offsets: Int[Tensor, " ends"],
    positive: Float[Tensor, "r k"],
    soft: Float[Tensor, "r k"],
) -> Linear:
    """The log-odds of each class for rows like `x`, which vary by about 1 in each column.

    The first soft labels are given, the next are `posterior` by what has been learnt so far.
    """
    weights = x.new_zeros(soft.shape[1], x.shape[1], requires_grad=True)
    bias = x.new_zeros(soft.shape[1], requires_grad=True)
    # The loss makes positive rows as likely as if there were more of them.
    excess = math.log(1 / NEGATIVE_WEIGHT - 1)

    def loss() -> Tensor:
        weights.grad = bias.grad = None
        errors = student_loss(x @ weights.T + bias, soft) * soft.shape[1]
        value: Tensor = errors + PENALTY / 2 * weights.square().sum()
        value.backward()
        return value

    for _ in range(ROUNDS):
        torch.optim.LBFGS([weights, bias], max_iter=ITERATIONS, line_search_fn="strong_wolfe").step(
            loss
        )
        with torch.no_grad():
            soft = posterior(x @ weights.T + bias - excess, positive, offsets)
    return Linear(weights.detach(), bias.detach() - excess)
