"""FG-CLIP 2's second stage: SigLIP's loss on images, regions, texts apart, hard negatives."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from clipfg.functional.cosines import Scale
from clipfg.training.losses.fgclip_hard import fgclip_hard
from clipfg.training.losses.region_phrases import region_phrases
from clipfg.training.losses.sigmoid import sigmoid
from clipfg.training.losses.text_contrast import text_contrast


def fgclip2(
    images: Float[Tensor, "b d"],
    long_texts: Float[Tensor, "b d"],
    short_texts: Float[Tensor, "b d"],
    regions: Float[Tensor, "b r d"],
    phrases: Float[Tensor, "b r d"],
    false_phrases: Float[Tensor, "b r k d"],
    mask: Bool[Tensor, "b r"],
    scale: Scale,
    bias: Scale,
    region_scale: Scale,
    hard_scale: Scale,
    *,
    also_true_long: Bool[Tensor, "b b"] | None = None,
    also_true_short: Bool[Tensor, "b b"] | None = None,
    margin: Scale = 0.0,
    false_mask: Bool[Tensor, "b r k"] | None = None,
    ids: Int[Tensor, "b r k+1"] | None = None,
    region_weight: float = 0.2,
    text_weight: float = 0.1,
    hard_weight: float = 0.5,
) -> dict[str, Float[Tensor, ""]]:
    """`loss` = long + short + 0.2 regions + 0.1 texts + 0.5 hard, and each before its weight.

    long, short: `sigmoid` at `scale` and `bias` (`also_true_*` as there); regions:
    `region_phrases` at `region_scale`; texts: `text_contrast` of the phrases; hard: `fgclip_hard`
    at `hard_scale`. `margin` of the result goes into the next step's call. `mask` and `false_mask`
    say which regions and false phrases are no padding; `ids` number the phrase of each region and
    its false ones. Without regions the last three terms are 0.

    Source: Xie et al. 2025, FG-CLIP 2, arXiv:2510.10921, second stage.
    """
    hard = fgclip_hard(
        regions[mask],
        phrases[mask],
        false_phrases[mask],
        hard_scale,
        margin,
        None if false_mask is None else false_mask[mask],
        None if ids is None else ids[mask],
    )
    phrase_ids = None if ids is None else ids[..., 0]
    terms = {
        "long": sigmoid(images, long_texts, scale, bias, also_true_long),
        "short": sigmoid(images, short_texts, scale, bias, also_true_short),
        "regions": region_phrases(regions, phrases, mask, region_scale, phrase_ids),
        "texts": text_contrast(phrases[mask]),
        "hard": hard.loss,
    }
    loss = (
        terms["long"]
        + terms["short"]
        + region_weight * terms["regions"]
        + text_weight * terms["texts"]
        + hard_weight * terms["hard"]
    )
    return {"loss": loss, **terms, "margin": hard.margin}
