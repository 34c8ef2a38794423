"""Supervised contrastive loss: rows of one class attract each other."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipfg.functional.cosines import cosines


def supcon(
    z: Float[Tensor, "b d"], labels: Int[Tensor, " b"], temperature: float = 0.1
) -> Float[Tensor, ""]:
    """Mean over anchors i of -1/|P_i| sum_{p in P_i} log(e^{s_ip} / sum_{a != i} e^{s_ia}).

    s = cosine / temperature, P_i = the other rows of i's class; the sum over positives stands
    outside the logarithm ("out" form). Two views of an image are two rows. Anchors without a
    positive do not count; without any the loss is 0.

    Source: Khosla et al. 2020, arXiv:2004.11362, equation 2.
    """
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    logits = (cosines(z, z) / temperature).masked_fill(itself, -torch.inf)
    positive = (labels[:, None] == labels) & ~itself
    counts = positive.sum(dim=1)
    # Filled, not multiplied: the anchor's own log-probability is minus infinity.
    gains = logits.log_softmax(dim=1).masked_fill(~positive, 0.0).sum(dim=1)
    return -(gains / counts.clamp(min=1)).sum() / (counts > 0).sum().clamp(min=1)
