"""Region-text distillation without a leak: no caption enters what the image is pulled to.

A target that has read the image's own caption can be matched by its text alone, and teaches
nothing about regions (`dclip`). So the image side is made of frozen features of the image and its
crops (`region_target`) and of phrases that are the same for all images (`region_scores`); neither
function takes a caption. The caption meets the frozen text tower's view of itself and nothing else.
"""

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import kl_div, normalize, pad

from clipfg.errors import DataError
from clipfg.functional.cosines import Scale, cosine_distance, cosines, widened

Pooling = Literal["mean", "max"]


def distillation(
    images: Float[Tensor, "b d"],
    texts: Float[Tensor, "b d"],
    target: Float[Tensor, "b d"],
    frozen_texts: Float[Tensor, "b d"],
    phrases: Float[Tensor, "v d"],
    scores: Float[Tensor, "b v"],
    known: Bool[Tensor, " b"],
    scale: Scale,
    *,
    image_weight: float = 1.0,
    text_weight: float = 1.0,
    phrase_weight: float = 1.0,
) -> dict[str, Float[Tensor, ""]]:
    """`loss` = the weighted sum of three terms, and each before its weight.

    images: 1 - cos(image, target), texts: 1 - cos(text, frozen text), both from 0 to 2; phrases:
    KL(teacher || student) between softmaxes of scale x cosine over a vocabulary of phrases, at
    least 0, over the images that are `known` to the teacher (that have a region). The teacher's
    cosines are `scores`, the student's those of its image with `phrases`.

    `target`, `frozen_texts` and `scores` are constants: they get no gradient.

    Source: this project's, after Csizmadia et al. 2025, DCLIP, arXiv:2505.21549.
    """
    teacher = (scale * widened(scores)).detach().log_softmax(dim=1)[known]
    student = (scale * cosines(images, phrases)).log_softmax(dim=1)[known]
    divergence = kl_div(student, teacher, reduction="sum", log_target=True)
    terms = {
        "images": cosine_distance(images, target.detach()),
        "texts": cosine_distance(texts, frozen_texts.detach()),
        "phrases": divergence / max(len(student), 1),
    }
    loss = image_weight * terms["images"] + text_weight * terms["texts"]
    return {"loss": loss + phrase_weight * terms["phrases"], **terms}


def region_target(
    whole: Float[Tensor, "b d"], crops: Float[Tensor, "b r d"], mask: Bool[Tensor, "b r"]
) -> Float[Tensor, "b d"]:
    """Unit-norm target of an image: half its whole view, half the mean direction of its regions.

    Frozen features of the whole image and of crops of it; crops where `mask` is False are padding.
    An image without regions has its whole view as target.
    """
    inside = normalize(widened(crops), dim=-1).masked_fill(~mask[..., None], 0.0).sum(dim=1)
    return normalize(normalize(widened(whole), dim=-1) + normalize(inside, dim=-1), dim=-1)


def region_scores(
    crops: Float[Tensor, "b r d"],
    mask: Bool[Tensor, "b r"],
    phrases: Float[Tensor, "v d"],
    pooling: Pooling = "max",
) -> Float[Tensor, "b v"]:
    """Cosine of each phrase with an image's regions: the mean over regions, or the best of them.

    All features are frozen; the phrases are a vocabulary that is the same for all images.
    An image without regions scores the same for all: leave it out (`known` of `distillation`).
    Raises `DataError` for another `pooling`.
    """
    similar = cosines(crops.flatten(0, 1), phrases).unflatten(0, mask.shape)
    if pooling == "mean":
        total = similar.masked_fill(~mask[..., None], 0.0).sum(dim=1)
        return total / mask.sum(dim=1).clamp(min=1)[:, None]
    if pooling == "max":  # no cosine is under -1, and there may be no region at all
        floored = similar.masked_fill(~mask[..., None], -1.0)
        return pad(floored, (0, 0, 0, 1), value=-1.0).amax(dim=1)
    raise DataError(f"Expected argument `pooling` to be 'mean' or 'max', got {pooling!r}.")
