"""Weighted: templates are weighted by how confidently they classify the unlabelled images.

A template `p` scores `s_p = mean_n max_c scale * (x_n - mean(x)) . z_pc`, where `z_pc` is the
unit-norm mean of its sentences for class `c`: the largest logit of each image, after subtracting
each class's mean logit over the images. Without that, templates and class names that suit any
image at all would win. Sentences are then weighted by `softmax(s)` of their template.

The paper subtracts half of the mean over these images and half of the mean over images of the
encoder's training data; as the latter are not available, all of it is taken from these.

Source: Allingham et al. 2023, arXiv:2302.06235, sections 3.1 to 3.3.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.prompting.ensembling import EnsemblePart, combine
from clipfg.prompting.rendering import Sentences

_BLOCK = 4096  # images scored at once


def template_scores(
    features: Float[Tensor, "t d"], sentences: Sentences, images: Float[Tensor, "n d"], scale: float
) -> Float[Tensor, " p"]:
    """`s_p` of each template; minus infinity for one that lacks a sentence for some class.

    The largest logit among fewer classes is smaller, so such a template cannot be compared.
    """
    owners, templates = torch.from_numpy(sentences.owners), torch.from_numpy(sentences.templates)
    classes = int(owners.max()) + 1
    centred = images.float() - images.float().mean(dim=0)
    scores = torch.full((int(templates.max()) + 1,), -torch.inf)
    for template in templates.unique().tolist():
        own = templates == template
        if len(owners[own].unique()) < classes:
            continue
        weights = combine(features[own], owners[own])
        best = [(block @ weights.T).amax(dim=1) for block in centred.split(_BLOCK)]
        scores[template] = scale * torch.cat(best).mean()
    return scores


def template_weights(
    features: Float[Tensor, "t d"], sentences: Sentences, images: Float[Tensor, "n d"], scale: float
) -> Float[Tensor, " t"]:
    """The weight of each sentence; those of templates without a score get the average weight.

    With equal scores this is `mean`: every sentence counts the same, however many its template has.
    """
    scores = template_scores(features, sentences, images, scale)
    scored = torch.isfinite(scores)
    shares = torch.ones_like(scores)
    if scored.any():
        shares[scored] = scores[scored].softmax(dim=0) * int(scored.sum())
    # Softmax may underflow to zero, and every sentence must count for something.
    return shares.clamp_min(1e-6)[torch.from_numpy(sentences.templates)]


PART = EnsemblePart(weigh=template_weights)
