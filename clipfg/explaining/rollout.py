"""Attention rollout: which patches the pooled feature is mixed of, whatever the text.

Source: Abnar and Zuidema 2020, arXiv:2005.00928, section 3.
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from clipfg.encoders import Encoder
from clipfg.explaining.tracing import on_grid, trace


def rollout(
    encoder: Encoder, pixels: UInt8[Tensor, "b 3 h w"], texts: Float[Tensor, "t d"]
) -> Float[Tensor, "b t rows cols"]:
    """The row of the pooled tokens in `prod_l (A_l + I) / 2`, the same for every text.

    `A_l` is the attention of block l, averaged over heads; half of each token comes past it. The
    pooled token is the class token, or the tokens by their weights in the pooling. Shares from 0 to
    1 of all tokens. Raises `UsageError` for a tower without attention.
    """
    tower, traced = trace(encoder, pixels)
    with torch.no_grad():
        first = traced.attentions[0].probabilities
        row = torch.zeros(len(first), first.shape[-1], device=first.device)
        if traced.pooling is not None:
            row = traced.pooling.probabilities[:, :, 0].float().mean(dim=1)
        elif tower.gathers:
            row[:, 0] = 1.0
        else:
            row[:, tower.prefix :] = 1 / (row.shape[1] - tower.prefix)
        for attention in reversed(traced.attentions):
            mixed = attention.probabilities.float().mean(dim=1)
            row = (row + (row[:, None] @ mixed)[:, 0]) / 2
        return on_grid(row[:, None].expand(-1, len(texts), -1), tower.prefix, pixels)
