"""FG-CLIP's second stage: whole images, their regions, and hard negatives of the regions."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.functional.cosines import Scale
from clipfg.training.losses.contrastive import contrastive
from clipfg.training.losses.hard_negatives import hard_negatives
from clipfg.training.losses.region_phrases import region_phrases


def fgclip1(
    images: Float[Tensor, "b d"],
    long_texts: Float[Tensor, "b d"],
    short_texts: Float[Tensor, "b d"],
    regions: Float[Tensor, "b r d"],
    phrases: Float[Tensor, "b r d"],
    false_phrases: Float[Tensor, "b r k d"],
    mask: Bool[Tensor, "b r"],
    scale: Scale,
    region_scale: Scale,
    hard_scale: Scale,
    *,
    also_true_long: Bool[Tensor, "b b"] | None = None,
    also_true_short: Bool[Tensor, "b b"] | None = None,
    false_mask: Bool[Tensor, "b r k"] | None = None,
    phrase_ids: Int[Tensor, "b r"] | None = None,
    region_weight: float = 0.1,
    hard_weight: float = 0.5,
) -> dict[str, Float[Tensor, ""]]:
    """`loss` = long + short + 0.1 regions + 0.5 hard, and each term before its weight.

    long, short: `contrastive` at `scale` (`also_true_*` as there); regions: `region_phrases` at
    `region_scale`; hard: `hard_negatives` of each region at `hard_scale` (the paper has 10 false
    phrases). `mask` and `false_mask` say which regions and false phrases are no padding. Without
    regions the last two terms are 0.

    Source: Xie et al. 2025, FG-CLIP, arXiv:2505.05071, second stage.
    """
    terms = {
        "long": contrastive(images, long_texts, scale, also_true_long),
        "short": contrastive(images, short_texts, scale, also_true_short),
        "regions": region_phrases(regions, phrases, mask, region_scale, phrase_ids),
        "hard": hard_negatives(
            regions[mask],
            phrases[mask],
            false_phrases[mask],
            hard_scale,
            None if false_mask is None else false_mask[mask],
        ),
    }
    whole = terms["long"] + terms["short"]
    parts = region_weight * terms["regions"] + hard_weight * terms["hard"]
    return {"loss": whole + parts, **terms}
