"""Grad-ECLIP: which values, as the last attention passes them on, raise the score.

Source: Zhao et al. 2024 (ICML), "Gradient-based Visual Explanation for Transformer-based CLIP";
arXiv:2502.18816, section 3.
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.encoders import Encoder
from clipfg.explaining.tracing import cosines, on_grid, trace


def grad_eclip(
    encoder: Encoder, pixels: UInt8[Tensor, "b 3 h w"], texts: Float[Tensor, "t d"]
) -> Float[Tensor, "b t rows cols"]:
    """`relu(sum_q lambda_qp sum_c (d s / d o_qc) v_pc)` of each patch p.

    `o` are the outputs of the attention that the score `s`, the cosine with the text, is pooled by,
    before they are projected, and `v` its values, all heads joined. `lambda` are the cosines of its
    queries with its keys, spread from 0 to 1 over the patches: the paper's "loosened" attention.
    The one query is the class token in the last block (CLIP), or that of the pooling head (SigLIP);
    where all patches are averaged, each of them is one. Raises `UsageError` for a tower without
    attention.
    """
    tower, traced = trace(encoder, pixels)
    attention = traced.pooling or traced.attentions[-1]
    queries, keys, values = (
        part.transpose(1, 2).flatten(2).float()
        for part in (attention.queries, attention.keys, attention.values)
    )
    likeness = (normalize(queries, dim=-1) @ normalize(keys, dim=-1).transpose(1, 2)).detach()
    of_patches = likeness[:, :, tower.prefix :]
    low, high = of_patches.amin(dim=2, keepdim=True), of_patches.amax(dim=2, keepdim=True)
    loosened = (likeness - low) / (high - low).clamp_min(1e-8)
    maps = []
    for score in cosines(traced.pooled, texts):
        (gradient,) = torch.autograd.grad(score, attention.output, retain_graph=True)
        weights = gradient.transpose(1, 2).flatten(2).float()
        maps.append((loosened * (weights @ values.transpose(1, 2))).sum(dim=1).relu())
    return on_grid(torch.stack(maps, dim=1), tower.prefix, pixels)
