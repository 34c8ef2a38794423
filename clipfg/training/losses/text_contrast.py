"""FG-CLIP 2's contrast among texts (TIC): phrases of different regions are told apart."""

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.functional.cosines import cosines


def text_contrast(
    texts: Float[Tensor, "n d"], neighbours: int = 10, same: float = 0.95
) -> Float[Tensor, ""]:
    """Mean over texts of the log-sum-exp of their `neighbours` largest cosines with the others.

    A text itself, and others above a cosine of `same`, which say the same, count as cosine 0.
    With fewer than `neighbours` texts all are taken. From 0 to `same` + log(neighbours); 0 for one
    text or none.

    Source: Xie et al. 2025, FG-CLIP 2, arXiv:2510.10921, textual intra-modal contrastive loss.
    """
    similar = cosines(texts, texts)
    itself = torch.eye(len(texts), dtype=torch.bool, device=texts.device)
    similar = similar.masked_fill(itself | (similar > same), 0.0)
    largest = similar.topk(min(neighbours, len(texts)), dim=1).values
    return largest.logsumexp(dim=1).sum() / max(len(texts), 1)
