"""An image or region against its true text and false texts of its own."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from clipfg.functional.cosines import Scale, cosines


def hard_negatives(
    rows: Float[Tensor, "b d"],
    true: Float[Tensor, "b d"],
    false: Float[Tensor, "b k d"],
    scale: Scale,
    mask: Bool[Tensor, "b k"] | None = None,
) -> Float[Tensor, ""]:
    """Mean over rows of -log softmax(scale x cosine)_true over 1 true and k false texts.

    `rows` are images or regions. At least 0; log(1 + k) where nothing tells the texts apart. False
    texts where `mask` is False are padding and may hold anything; a row without any counts with 0.

    Source: Xie et al. 2025, FG-CLIP, arXiv:2505.05071, hard fine-grained negatives.
    """
    if mask is not None:  # 0 x NaN is NaN: padding must not reach the gradient of the rows
        false = false.masked_fill(~mask[..., None], 0.0)
    logits = scale * cosines(rows[:, None], torch.cat((true[:, None], false), dim=1))[:, 0]
    if mask is not None:
        logits = logits.masked_fill(~pad(mask, (1, 0), value=True), -torch.inf)
    first = torch.zeros(len(rows), dtype=torch.long, device=rows.device)
    return cross_entropy(logits, first, reduction="sum") / max(len(rows), 1)
