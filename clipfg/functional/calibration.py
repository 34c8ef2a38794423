"""Temperature: one factor that makes a classifier's probabilities as sure as it is right."""

import math

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

_RANGE = (-7.0, 7.0)  # of log T: scores from thousandths to thousands
_STEPS = 60


def temperature(logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]) -> float:
    """The `T` that minimises `-sum_i log softmax(logits_i / T)[y_i]`; 1 for no rows.

    The loss is convex in `1 / T`, so that a golden section over `log T` finds the least. Bounded
    by e^-7 and e^7, where rows that are all right would ask for 0.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.
    """
    if not len(logits):
        return 1.0

    def loss(exponent: float) -> float:
        return float(cross_entropy(logits.double() / math.exp(exponent), labels))

    low, high = _RANGE
    ratio = (math.sqrt(5) - 1) / 2
    inner, outer = high - ratio * (high - low), low + ratio * (high - low)
    left, right = loss(inner), loss(outer)
    for _ in range(_STEPS):
        if left <= right:
            high, outer, right = outer, inner, left
            inner = high - ratio * (high - low)
            left = loss(inner)
        else:
            low, inner, left = inner, outer, right
            outer = low + ratio * (high - low)
            right = loss(outer)
        if high - low < 1e-4:
            break
    return math.exp((low + high) / 2)
