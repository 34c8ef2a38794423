"""CM-CGNS: negatives guided by clusters of sentences, and patches rebuilt with a text's help.

Cross-attention (`clipfg.training.nets.cross_attention`) gives every patch a feature made of the
sentences, and every sentence one made of the patches. The losses are written on these.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import cross_entropy, pad, relu

from clipfg.errors import DataError
from clipfg.functional.cosines import Scale, cosine_distance, cosines, widened
from clipfg.training.losses.centroids import Centroids
from clipfg.training.losses.contrastive import contrastive

FalseNegatives = Literal["mask", "margin"]


def cm_cgns(
    images: Float[Tensor, "b d"],
    texts: Float[Tensor, "b d"],
    patches: Float[Tensor, "b p e"],
    read: Float[Tensor, "b p e"],
    predicted_patches: Float[Tensor, "b p e"],
    predicted_read: Float[Tensor, "b p e"],
    sentences: Float[Tensor, "n e"],
    seen: Float[Tensor, "n e"],
    scale: Scale,
    *,
    centroids: Centroids | None = None,
    false_negatives: FalseNegatives = "mask",
    sentence_scale: Scale = 1.0,
    hard_weight: float = 3.0,
    margin_weight: float = 1e-4,
    reconstruction: Float[Tensor, ""] | None = None,
    reconstruction_weight: float = 10.0,
) -> dict[str, Float[Tensor, ""]]:
    """`loss` = whole + patches + sentences + 10 reconstruction, and each before its weight.

    whole: `contrastive` of images and texts at `scale`; patches: `align_patches`; sentences:
    `align_sentences` of all sentences of the batch; reconstruction: what `reconstruct` gave, None
    in evaluation.

    Source: Lan et al. 2025, CM-CGNS, arXiv:2506.11674.
    """
    terms = {
        "whole": contrastive(images, texts, scale),
        "patches": align_patches(patches, read, predicted_patches, predicted_read),
        "sentences": align_sentences(
            sentences,
            seen,
            sentence_scale,
            centroids,
            false_negatives,
            hard_weight=hard_weight,
            margin_weight=margin_weight,
        ),
    }
    loss = terms["whole"] + terms["patches"] + terms["sentences"]
    if reconstruction is not None:
        terms["reconstruction"] = reconstruction
        loss = loss + reconstruction_weight * reconstruction
    return {"loss": loss, **terms}


def align_patches(
    patches: Float[Tensor, "b p d"],
    read: Float[Tensor, "b p d"],
    predicted_patches: Float[Tensor, "b p d"],
    predicted_read: Float[Tensor, "b p d"],
) -> Float[Tensor, ""]:
    """Mean of 1 - cosine of a patch's prediction with what it read in the sentences, both ways.

    From 0 to 2. A predictor (`ProjectionHead`) makes the predictions of the first two, which are
    constants here: without that, all patches alike would be the best answer (SimSiam).
    """
    there = cosine_distance(predicted_patches, read.detach())
    back = cosine_distance(predicted_read, patches.detach())
    return (there + back) / 2


def align_sentences(
    sentences: Float[Tensor, "n d"],
    seen: Float[Tensor, "n d"],
    scale: Scale = 1.0,
    centroids: Centroids | None = None,
    false_negatives: FalseNegatives = "mask",
    *,
    hard_weight: float = 3.0,
    margin_weight: float = 1e-4,
) -> Float[Tensor, ""]:
    """Cross-entropy of each sentence among all `seen` and a hard negative of its own; at least 0.

    `seen[i]` is what sentence i saw in its image. Logits are scale x cosine. The hard negative is
    the sentence's second nearest centroid, its logit `hard_weight` times as large. Sentences with
    the same nearest centroid are likely to say the same, and their pairs to be false negatives:

    - `"mask"`, this project's: they are left out;
    - `"margin"`, the paper's: they stay, and `margin_weight` x their mean of relu(D + 0.2) +
      relu(-D - 0.5) is added, D = cos(sentence i, seen j) - cos(sentence i, seen i).

    Without `centroids` (before they start) it is plain InfoNCE, one way. Raises `DataError` for
    another `false_negatives`.
    """
    similar = cosines(sentences, seen)
    itself = torch.arange(len(similar), device=similar.device)
    if centroids is None:
        total = cross_entropy(scale * similar, itself, reduction="sum")
        return total / max(len(itself), 1)

    own, second = centroids.nearest(sentences).unbind(dim=1)
    hard = cosines(sentences[:, None], centroids.rows[second].detach()[:, None])[:, 0]
    suspected = (own[:, None] == own) & (itself[:, None] != itself)
    logits = torch.cat((scale * similar, scale * hard_weight * hard), dim=1)
    if false_negatives == "mask":
        logits = logits.masked_fill(pad(suspected, (0, 1)), -torch.inf)
        return cross_entropy(logits, itself, reduction="sum") / max(len(itself), 1)
    if false_negatives == "margin":
        apart = (similar - similar.diagonal()[:, None])[suspected]
        margins = relu(apart + 0.2) + relu(-apart - 0.5)
        total = cross_entropy(logits, itself, reduction="sum") / max(len(itself), 1)
        return total + margin_weight * margins.sum() / max(len(margins), 1)
    raise DataError(
        f"Expected argument `false_negatives` to be 'mask' or 'margin', got {false_negatives!r}."
    )


def reconstruct(
    decoded: Float[Tensor, "b p v"], values: Float[Tensor, "b p v"], dropped: Bool[Tensor, "b p"]
) -> Float[Tensor, ""]:
    """Mean absolute difference of decoded and true `values` over the dropped patches; at least 0.

    `values` are the pixels of a patch (or its frozen feature). Patches that the decoder saw do not
    count: they need no text. None dropped: 0.
    """
    missed = (widened(decoded) - widened(values)).abs()[dropped]
    return missed.sum() / max(missed.numel(), 1)
