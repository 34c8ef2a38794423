"""How good rankings are: average precision, Recall@k and the first hit of each query."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.errors import DataError
from clipfg.functional.metrics import check_not_nan


def average_precision(
    scores: Float[Tensor, "q n"], relevant: Bool[Tensor, "q n"]
) -> Float[Tensor, " q"]:
    """The mean, over a query's relevant items, of the precision down to each; NaN without any.

    Items of equal score count together. The mean over queries is mAP; where the rows are classes
    and their columns images, it is mAP of labels of which an image may have several. From 0 to 1.

    Raises `DataError` for scores that are NaN.

    Source: Manning, Raghavan and Schütze 2008, Introduction to Information Retrieval, section 8.4.
    """
    check_not_nan("scores", scores)
    counts = relevant.sum(dim=1)
    own = torch.where(relevant, scores, -torch.inf).topk(int(counts.max()), dim=1).values
    # of a tie, every item stands at the place of the last
    precision = _at_least(own, own) / _at_least(scores, own)
    counted = torch.arange(own.shape[1], device=own.device) < counts[:, None]
    return torch.where(counted, precision, 0).sum(dim=1) / counts


def _at_least(scores: Float[Tensor, "q n"], of: Float[Tensor, "q r"]) -> Float[Tensor, "q r"]:
    """How many of a row's scores are as high as each of `of`."""
    rising = scores.contiguous().sort(dim=1).values
    return scores.shape[1] - torch.searchsorted(rising, of.contiguous()).double()


def recall_at_k(
    scores: Float[Tensor, "q n"], relevant: Bool[Tensor, "q n"], k: int
) -> Float[Tensor, " q"]:
    """1 where one of a query's `k` best items is relevant, else 0; NaN where none of all is.

    That is Recall@k of image retrieval, a hit or none, not the share of relevant items found. Of
    equal scores the lower index ranks first.

    Raises `DataError` for scores that are NaN and a `k` below 1.

    Source: Jegou, Douze and Schmid 2011, doi:10.1109/TPAMI.2010.57, section V.
    """
    check_not_nan("scores", scores)
    if k < 1:
        raise DataError(f"Expected argument `k` of at least 1, got {k}.")
    return torch.where(relevant.any(dim=1), (first_hit(scores, relevant) < k).double(), torch.nan)


def first_hit(scores: Float[Tensor, "q n"], relevant: Bool[Tensor, "q n"]) -> Int[Tensor, " q"]:
    """The rank, from 0, of each query's best relevant item; at least n where no item is relevant.

    Of equal scores the lower index ranks first.
    """
    best = torch.where(relevant, scores, -torch.inf).amax(dim=1, keepdim=True)
    equal = scores == best
    place = (relevant & equal).int().argmax(dim=1)
    before = torch.arange(scores.shape[1], device=scores.device) < place[:, None]
    return ((scores > best) | (equal & before)).sum(dim=1)
