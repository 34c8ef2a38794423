"""Grad-ECLIP: which values, as they are pooled last, raise the score.

Source: Zhao et al. 2024 (ICML), "Gradient-based Visual Explanation for Transformer-based CLIP";
arXiv:2502.18816, section 3.
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.encoders import Encoder
from clipfg.encoders.towers import Attention
from clipfg.explaining.tracing import cosines, on_grid, trace


def grad_eclip(
    encoder: Encoder, pixels: UInt8[Tensor, "b 3 h w"], texts: Float[Tensor, "t d"]
) -> Float[Tensor, "b t rows cols"]:
    """`relu(lambda_p sum_c (d s / d o_c) v_pc)` of each patch p.

    `o` is the output of the attention by which the class token (CLIP) or the pooling head (SigLIP)
    gathers the patches last, before it is projected, and `v` are its values, all heads joined;
    `lambda` are the cosines of its query with its keys, spread from 0 to 1 over the patches: the
    paper's "loosened" attention. `s` is the cosine with the text. A tower that averages its patches
    gathers them by no attention: there `v` are the tokens themselves, each with its own
    `d s / d v_p`, and `lambda` is 1. Raises `UsageError` for a tower without attention.
    """
    tower, traced = trace(encoder, pixels)
    scores = cosines(traced.pooled, texts)
    attention = traced.pooling or (traced.attentions[-1] if tower.gathers else None)
    tokens = traced.tokens[-1] if attention is None else attention.output
    gradients = torch.stack(
        [torch.autograd.grad(score, tokens, retain_graph=True)[0] for score in scores], dim=1
    )
    if attention is None:
        maps = (gradients * tokens[:, None]).float().sum(dim=-1)
    else:
        # Both kinds of attention are asked by their first query.
        weights = gradients[:, :, :, 0].flatten(2).float()
        values = _joined(attention.values)
        maps = _loosened(attention, tower.prefix) * (weights @ values.transpose(1, 2))
    return on_grid(maps.relu(), tower.prefix, pixels)


def _joined(heads: Float[Tensor, "b h n e"]) -> Float[Tensor, "b n w"]:
    return heads.transpose(1, 2).flatten(2).float()


def _loosened(attention: Attention, prefix: int) -> Float[Tensor, "b 1 n"]:
    query = normalize(_joined(attention.queries)[:, :1], dim=-1)
    likeness = query @ normalize(_joined(attention.keys), dim=-1).transpose(1, 2)
    patches = likeness[:, :, prefix:]
    low, high = patches.amin(dim=2, keepdim=True), patches.amax(dim=2, keepdim=True)
    return (likeness - low) / (high - low).clamp_min(1e-8)
