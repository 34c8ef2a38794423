"""DCLIP's student: near a teacher made of regions and captions, which leaks the captions.

The teacher (`clipfg.training.nets.dclip_teacher`) reads the caption that its embedding is matched
with: untrained, with noise for regions, it already finds its own captions. What a student gains
here says nothing about regions; it is built to be compared with `distillation`, which has no leak.
"""

from jaxtyping import Float
from torch import Tensor

from clipfg.functional.cosines import cosine_distance
from clipfg.training.losses.contrastive import contrastive


def dclip(
    images: Float[Tensor, "b d"],
    texts: Float[Tensor, "b d"],
    teacher: Float[Tensor, "b d"],
    frozen_texts: Float[Tensor, "b d"],
    temperature: float = 0.05,
) -> dict[str, Float[Tensor, ""]]:
    """`loss` = images + texts + contrastive, and each term.

    images: 1 - cos(image, teacher); texts: 1 - cos(text, frozen text), both from 0 to 2;
    contrastive: `contrastive` of images and texts at 1 / `temperature`. `teacher` and
    `frozen_texts` are constants: they get no gradient.

    Source: Csizmadia et al. 2025, DCLIP, arXiv:2505.21549.
    """
    terms = {
        "images": cosine_distance(images, teacher.detach()),
        "texts": cosine_distance(texts, frozen_texts.detach()),
        "contrastive": contrastive(images, texts, 1 / temperature),
    }
    return {"loss": terms["images"] + terms["texts"] + terms["contrastive"], **terms}
