"""Cosines for training: exact enough for a softmax at scale 100, whatever the precision around."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

Scale = float | Float[Tensor, ""]  # a fixed number, or exp(logit_scale) with its gradient


def widened(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """`x` in float32 at least: half precision is widened, float64 stays."""
    return x if x.dtype == torch.float64 else x.float()


def cosines(
    x: Float[Tensor, "*batch n d"], y: Float[Tensor, "*batch m d"]
) -> Float[Tensor, "*batch n m"]:
    """Cosine of every row of `x` with every row of `y`, from -1 to 1, in float32 at least.

    Rows need not have norm 1; a zero row has cosine 0 with all. Autocast is off inside: a logit
    of 100 x cosine in bfloat16 is off by a quarter.
    """
    with torch.autocast(x.device.type, enabled=False):
        return normalize(widened(x), dim=-1) @ normalize(widened(y), dim=-1).mT


def cosine_distance(
    x: Float[Tensor, "*batch d"], y: Float[Tensor, "*batch d"]
) -> Float[Tensor, ""]:
    """Mean of 1 - cosine of matching rows, from 0 to 2, in float32 at least."""
    return 1 - cosine_similarity(widened(x), widened(y), dim=-1).mean()
