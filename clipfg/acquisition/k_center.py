"""k-center: images that leave no other far from all that are labelled."""

from jaxtyping import Int
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool
from clipfg.functional.farthest_first import farthest_first


def k_center(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """Farthest-first traversal, labelled images counting as covered.

    Each next image is the one whose largest cosine with labelled and chosen ones is least. With
    nothing labelled it begins nearest the mean. What lies far from everything comes first, outliers
    among it: coverage in the worst case, not on average.

    Source: Sener and Savarese 2018, arXiv:1708.00489, algorithm 1.
    """
    return farthest_first(pool.features, pool.check(budget), pool.labelled)
