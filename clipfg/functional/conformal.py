"""Sets of classes that contain the true one with a given probability: split-conformal prediction.

A score says how badly a class fits an item. With `q` the right quantile of the true classes' scores
of `n` calibration items, the set of all classes that score at most `q` contains the true class of a
new, exchangeable item with probability `level` or more, whatever the classifier.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.errors import DataError


def fewest_calibrating(level: float) -> int:
    """The fewest calibration items for sets at `level`; with fewer, sets contain every class.

    The smallest n with `ceil((n + 1) level) <= n`: 9 for 0.9, 19 for 0.95.
    """
    return max(math.ceil(level / (1 - level) - 1e-9), 1)


def conformal_quantile(scores: Float[Tensor, " n"], level: float) -> float:
    """The `ceil((n + 1) level)`-th smallest score; infinity if there are too few.

    Coverage is then at least `level`, and at most `level + 1 / (n + 1)` if no scores are equal;
    ties only increase it. Raises `DataError` for a level outside 0 to 1.

    Source: Vovk et al. 2005; Angelopoulos and Bates 2021, arXiv:2107.07511, section 1.
    """
    if not 0 < level < 1:
        raise DataError(f"Expected a level between 0 and 1, got {level}.")
    rank = math.ceil((len(scores) + 1) * level - 1e-9)
    if rank > len(scores):
        return math.inf
    return float(scores.sort().values[rank - 1])


def class_quantiles(
    scores: Float[Tensor, " n"], labels: Int[Tensor, " n"], classes: int, level: float
) -> Float[Tensor, " c"]:
    """A quantile for each class from its own items, for coverage within every class.

    Infinity for a class that has fewer than `fewest_calibrating(level)`.

    Source: Vovk 2012, arXiv:1209.2673 (label-conditional, "Mondrian").
    """
    found = [conformal_quantile(scores[labels == k], level) for k in range(classes)]
    return torch.tensor(found, dtype=torch.double, device=scores.device)


def lac_scores(probabilities: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
    """`1 - p`: the smallest sets on average; hard items get large sets, unusual ones an empty set.

    Source: Sadinle, Lei and Wasserman 2019, arXiv:1609.00451 ("least ambiguous").
    """
    return 1 - probabilities.double()


def prediction_sets(
    scores: Float[Tensor, "n c"], quantile: float | Float[Tensor, " c"]
) -> Bool[Tensor, "n c"]:
    """The set of each item: the classes that score at most the quantile."""
    return scores <= quantile
