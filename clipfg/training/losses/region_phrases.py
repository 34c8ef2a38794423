"""Regions of all images of a batch against the phrases of all."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.functional.cosines import Scale
from clipfg.training.losses.contrastive import contrastive


def region_phrases(
    regions: Float[Tensor, "b r d"],
    phrases: Float[Tensor, "b r d"],
    mask: Bool[Tensor, "b r"],
    scale: Scale,
    phrase_ids: Int[Tensor, "b r"] | None = None,
) -> Float[Tensor, ""]:
    """`contrastive` between the regions that `mask` keeps and their phrases; at least 0.

    Rows where `mask` is False are padding: they get no gradient and may hold anything. Regions
    whose phrases have the same id are no negatives of each other; without ids every other phrase
    of the batch is one. No region: 0.

    Source: Xie et al. 2025, FG-CLIP, arXiv:2505.05071, regional contrastive learning.
    """
    same = None
    if phrase_ids is not None:
        ids = phrase_ids[mask]
        same = ids[:, None] == ids
    return contrastive(regions[mask], phrases[mask], scale, same)
