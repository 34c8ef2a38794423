"""CLIP's symmetric contrastive loss (InfoNCE)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from clipfg.functional.cosines import Scale, cosines


def contrastive(
    images: Float[Tensor, "b d"],
    texts: Float[Tensor, "b d"],
    scale: Scale,
    also_true: Bool[Tensor, "b b"] | None = None,
) -> Float[Tensor, ""]:
    """Cross-entropy of each image among the texts and of each text among the images, averaged.

    With S = scale x cosine: L = -1/2b sum_i [log softmax(S_i.)_i + log softmax(S_.i)_i]. At least
    0; 0 for a batch of one or none.

    Row i of each side is a pair. `scale` is the inverse temperature (CLIP's grows to 100).
    `also_true[i, j]` marks a text j that is true of image i as well: such a pair counts neither
    as positive nor as negative. The diagonal of it is ignored.

    Source: Radford et al. 2021, arXiv:2103.00020, figure 3.
    """
    logits = scale * cosines(images, texts)
    pairs = torch.arange(len(logits), device=logits.device)
    if also_true is not None:
        logits = logits.masked_fill(also_true & (pairs[:, None] != pairs), -torch.inf)
    total = cross_entropy(logits, pairs, reduction="sum")
    total = total + cross_entropy(logits.T, pairs, reduction="sum")
    return total / (2 * max(len(pairs), 1))
