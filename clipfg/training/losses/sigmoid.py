"""SigLIP's loss: each pair of image and text is right or wrong on its own."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from clipfg.functional.cosines import Scale, cosines


def sigmoid(
    images: Float[Tensor, "b d"],
    texts: Float[Tensor, "b d"],
    scale: Scale,
    bias: Scale,
    also_true: Bool[Tensor, "b b"] | None = None,
) -> Float[Tensor, ""]:
    """Log-loss of every pair, summed over all pairs and divided by the batch; at least 0.

    L = -1/b sum_ij log sigmoid(y_ij (scale x cosine_ij + bias)), y = 1 on the diagonal, else -1.

    Row i of each side is a pair. SigLIP starts at scale 10 and bias -10. `also_true[i, j]` leaves
    out a text j that is true of image i as well; the diagonal of it is ignored.

    Source: Zhai et al. 2023, arXiv:2303.15343, algorithm 1.
    """
    logits = scale * cosines(images, texts) + bias
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    losses = -logsigmoid(torch.where(own, logits, -logits))
    if also_true is not None:
        losses = losses.masked_fill(also_true & ~own, 0.0)
    return losses.sum() / max(len(logits), 1)
