"""FG-CLIP 2's loss on hard negatives: three views of the same true and false phrases."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, relu

from clipfg.functional.cosines import Scale, cosines
from clipfg.training.losses.hard_negatives import hard_negatives


class HardLoss(NamedTuple):
    """The loss, and the margin to hand to the next step."""

    loss: Float[Tensor, ""]
    margin: Float[Tensor, ""]


def fgclip_hard(
    regions: Float[Tensor, "n d"],
    phrases: Float[Tensor, "n d"],
    false: Float[Tensor, "n k d"],
    scale: Scale,
    margin: Scale = 0.0,
    mask: Bool[Tensor, "n k"] | None = None,
    ids: Int[Tensor, "n k+1"] | None = None,
) -> HardLoss:
    """0.6 A + 3 B + 0.4 C, at least 0; 0 without regions.

    A = `among_all`; B = `hard_negatives`, each region's own false phrases; C = mean of
    relu(margin + s_false - s_true), s = scale x cosine.

    `margin` is what the last step returned, 0 at first: its mean(s_true) - mean(s_false), within 0
    and 10. A step without any false phrase hands on the one that it got. False phrases where
    `mask` is False are padding. `ids` number the texts: in A, a phrase with the id of the region's
    own (the first of its row, the false ones follow) is no negative of it.

    Source: Xie et al. 2025, FG-CLIP 2, arXiv:2510.10921.
    """
    if mask is None:
        mask = torch.ones(false.shape[:2], dtype=torch.bool, device=false.device)
    false = false.masked_fill(~mask[..., None], 0.0)
    true_scores = scale * cosines(regions[:, None], phrases[:, None])[:, 0]
    false_scores = scale * cosines(regions[:, None], false)[:, 0]
    short_of = relu(margin + false_scores - true_scores)[mask]
    ids_of_all = None if ids is None else torch.cat((ids[:, 0], ids[:, 1:][mask]))
    loss = (
        0.6 * among_all(regions, torch.cat((phrases, false[mask])), scale, ids_of_all)
        + 3.0 * hard_negatives(regions, phrases, false, scale, mask)
        + 0.4 * short_of.sum() / max(len(short_of), 1)
    )
    if len(short_of):
        margin = (true_scores.mean() - false_scores[mask].mean()).clamp(0.0, 10.0).detach()
    return HardLoss(loss, torch.as_tensor(margin, dtype=loss.dtype, device=loss.device))


def among_all(
    regions: Float[Tensor, "n d"],
    phrases: Float[Tensor, "m d"],
    scale: Scale,
    ids: Int[Tensor, " m"] | None = None,
) -> Float[Tensor, ""]:
    """Mean of two cross-entropies: region -> all phrases, and true phrase -> regions.

    The first n phrases are true of the n regions, in order; the rest are false of the region that
    they were made for. Phrases with the `ids` of a region's own are not among its negatives.
    """
    n = len(regions)
    logits = scale * cosines(regions, phrases)
    own = torch.arange(n, device=logits.device)
    if ids is not None:
        same = ids[:n, None] == ids
        same[own, own] = False
        logits = logits.masked_fill(same, -torch.inf)
    total = cross_entropy(logits, own, reduction="sum")
    total = total + cross_entropy(logits[:, :n].T, own, reduction="sum")
    return total / (2 * max(n, 1))
