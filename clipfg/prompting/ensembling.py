"""From the features of many sentences to one weight vector per class."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.errors import DataError
from clipfg.functional.similarity import unit_norm
from clipfg.registry import Registry

Ensemble: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Text features `[t, d]` and owners `[t]` to class weights `[c, d]`."""

ENSEMBLES: Registry[Ensemble] = Registry("prompt ensemble", "clipfg.ensembles")
ENSEMBLES.register("mean", "clipfg.prompting.ensembling:ensemble_mean")


def ensemble_mean(
    text_features: Float[Tensor, "t d"], owners: Int[Tensor, " t"]
) -> Float[Tensor, "c d"]:
    """The renormalised mean of each class's unit-norm text features.

    `w_c = unit(mean_{t in c} unit(f_t))`. A class with one sentence gets that sentence's unit
    feature bit for bit, which is plain CLIP; the order of sentences does not matter but for
    rounding.

    Parameters
    ----------
    text_features
        Features of any scale, one row a sentence.
    owners
        The class index of each; every class from 0 to the largest has at least one.

    Raises `DataError` for unequal lengths, a class without sentences, and a zero, non-finite or
    exactly cancelling feature.

    Source: Radford et al. 2021, arXiv:2103.00020, section 3.1.4.
    """
    if len(text_features) != len(owners) or not len(owners):
        raise DataError(
            f"Expected as many owners as text features and at least one,"
            f" got {len(owners)} and {len(text_features)}."
        )
    if int(owners.min()) < 0:
        raise DataError(f"Expected class indices from 0 up as owners, got {int(owners.min())}.")
    counts = torch.bincount(owners.long())
    empty = (counts == 0).nonzero()
    if len(empty):
        raise DataError(f"Expected a sentence for every class, got none for {int(empty[0])}.")
    unit = unit_norm(text_features)
    sums = unit.new_zeros(len(counts), unit.shape[1]).index_add_(0, owners.long(), unit)
    return unit_norm(sums / counts[:, None])
