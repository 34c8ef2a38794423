"""LeGrad: which attention, if it grew, would raise the score.

Source: Bousselham et al. 2025 (ICCV), arXiv:2404.03214, section 3.
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from clipfg.encoders import Encoder
from clipfg.encoders.towers.attention import AttentionRecorder
from clipfg.explaining.tracing import cosines, on_grid, trace


def legrad(
    encoder: Encoder, pixels: UInt8[Tensor, "b 3 h w"], texts: Float[Tensor, "t d"]
) -> Float[Tensor, "b t rows cols"]:
    """The mean of `E_l` over all blocks l, `E_l = mean_{h, i} relu(d s_l / d A_l)[h, i, p]`.

    `A_l` are the attention probabilities of the block, from tokens i to patches p in heads h, and
    `s_l` is the cosine of the text with the tokens after the block, pooled as the last ones are.
    Where a head pools by attention (SigLIP), `A_l` is that of the head on those tokens. Never
    negative. Raises `UsageError` for a tower without attention.
    """
    tower, traced = trace(encoder, pixels)
    layers = []
    for tokens, attention in zip(traced.tokens[1:], traced.attentions, strict=True):
        with AttentionRecorder() as pooling:
            scores = cosines(tower.pool(tokens), texts)
        probabilities = (pooling.attentions or [attention])[-1].probabilities
        gradients = [
            torch.autograd.grad(score, probabilities, retain_graph=True)[0] for score in scores
        ]
        layers.append(torch.stack(gradients, dim=1).float().relu().mean(dim=(2, 3)))
    return on_grid(torch.stack(layers).mean(dim=0), tower.prefix, pixels)
