"""The uncertainty of class probabilities: 0 if one class has it all, 1 if none leads."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def margin_uncertainty(probabilities: Float[Tensor, "n c"]) -> Float[Tensor, " n"]:
    """`1 - (p_1 - p_2)` of the two most likely classes; 0 if there is only one class.

    Source: Scheffer et al. 2001, doi:10.1007/3-540-44816-0_31.
    """
    if probabilities.shape[1] < 2:
        return torch.zeros(len(probabilities), device=probabilities.device)
    best = probabilities.topk(2, dim=1).values
    return 1 - (best[:, 0] - best[:, 1])


def entropy_uncertainty(probabilities: Float[Tensor, "n c"]) -> Float[Tensor, " n"]:
    """`-sum_k p_k log p_k / log c`; 0 if there is only one class.

    Source: Shannon 1948; in active learning, Settles 2009, section 3.1.
    """
    if probabilities.shape[1] < 2:
        return torch.zeros(len(probabilities), device=probabilities.device)
    return torch.special.entr(probabilities).sum(dim=1) / math.log(probabilities.shape[1])
