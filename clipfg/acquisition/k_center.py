"""k-center: images that leave no other image far from all labelled ones."""

from jaxtyping import Int
from torch import Tensor

from clipfg.acquisition.base import UnlabelledPool
from clipfg.functional.farthest_first import farthest_first


def k_center(pool: UnlabelledPool, budget: int) -> Int[Tensor, " b"]:
    """Farthest-first traversal in which labelled images count as covered.

    Each next image is the one whose largest cosine with labelled and chosen ones is smallest; if
    nothing is labelled, it begins nearest the mean. Images far from everything come first,
    including outliers: it covers the worst case, not the average.

    Source: Sener and Savarese 2018, arXiv:1708.00489, algorithm 1.
    """
    return farthest_first(pool.features, pool.check(budget), pool.labelled)
