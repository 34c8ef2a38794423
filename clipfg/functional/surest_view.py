"""Which view of an image to believe: the surest of those that hold the object, calibrated by kind.

A crop of bare background is named with confidence too, so confidences of different kinds of views
must not be compared as they are, and a crop that shows something else must not win.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.functional.similarity import confidence

HOLDS = 0.5
"""A view holds the object from this cosine with the whole image: see `python -m benchmarks.views`,
where it keeps 99 of 100 crops around birds and 1 of 100 of their background."""

STEPS = 40


def holds_object(
    views: Float[Tensor, "n v d"],
    whole: Float[Tensor, "n d"],
    mean: Float[Tensor, " d"],
) -> Bool[Tensor, "n v"]:
    """Whether each view shows what its whole image does: a cosine of at least `HOLDS`.

    Both are taken from the `mean` of whole images, as all features of an encoder point more or less
    the same way.
    """
    own, shown = normalize(whole - mean, dim=-1), normalize(views - mean, dim=-1)
    return torch.einsum("nvd,nd->nv", shown, own) >= HOLDS


def kind_factors(
    logits: Float[Tensor, "n v c"], holds: Bool[Tensor, "n v"], kinds: Sequence[str], whole: int
) -> Float[Tensor, " v"]:
    """A factor on the logits of each view, one for each kind, found without labels.

    With it a kind is as sure, on average over the views that hold the object, as the whole image
    is, times the share of them that agree with it: as sure as it is right, if the whole image is.
    1 for the view at `whole`, and 0 for kinds of which no view holds the object.
    """
    factors = torch.zeros(len(kinds))
    answers = logits[:, whole].argmax(dim=-1, keepdim=True)
    level = confidence(logits[:, whole]).mean()
    for kind in dict.fromkeys(kinds):
        places = torch.tensor([at for at, name in enumerate(kinds) if name == kind])
        kept = holds[:, places]
        if kept.any():
            own = logits[:, places]
            agree = (own.argmax(dim=-1) == answers)[kept].float().mean()
            factors[places] = _factor(own[kept], float(agree * level))
    factors[whole] = 1.0
    return factors


def _factor(logits: Float[Tensor, "m c"], wanted: float) -> float:
    """The factor from 1/1000 to 1000 at which mean confidence is `wanted`, by bisection."""
    low, high = -3.0, 3.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        if float(confidence(logits * 10**middle).mean()) < wanted:
            low = middle
        else:
            high = middle
    return float(10 ** ((low + high) / 2))


def surest_view(
    logits: Float[Tensor, "n v c"],
    holds: Bool[Tensor, "n v"],
    factors: Float[Tensor, " v"],
    whole: int,
) -> Int[Tensor, " n"]:
    """The view of each image with the highest calibrated confidence; the whole image at least."""
    sure = confidence(logits * factors[:, None])
    open_to = holds.clone()
    open_to[:, whole] = True
    return sure.masked_fill(~open_to, -1.0).argmax(dim=1)
