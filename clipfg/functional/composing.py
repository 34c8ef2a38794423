"""One query composed of several: texts, photos, and what must not be in the image.

In the shared space texts lie apart from images (the modality gap: Liang et al. 2022,
arXiv:2203.02053), and their cosines with images spread less than those of photos, so photos would
dominate a plain sum. Each side is therefore divided by the standard deviation of its cosines with
the keys: the composed score is a sum of standard scores, up to their means, which are the same for
every key. A sum of cosines is a cosine with a sum, so one vector is enough:

    q = w mean(texts) / s_t + (1 - w) mean(photos) / s_p - a sum_j n_j / max(s_nj, s_t)

Texts are not standardised among themselves, and a negated phrase is not scaled up beyond the texts
beside it: one that the encoder barely sees has a small spread, and dividing by that would amplify
its noise. `python -m benchmarks.retrieval` measures both.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.errors import DataError
from clipfg.functional.similarity import unit_norm

AVERSION = 0.5
"""The weight of a negated phrase against the rest, in standard scores."""


def compose(
    texts: Float[Tensor, "t d"],
    photos: Float[Tensor, "p d"],
    negated: Float[Tensor, "m d"],
    keys: Float[Tensor, "n d"],
    weight: float = 0.5,
    aversion: float = AVERSION,
) -> Float[Tensor, " d"]:
    """The unit-norm query `q` of the equation above.

    Parameters
    ----------
    texts, photos, negated
        Unit-norm features; any may have no rows, but not both texts and photos.
    keys
        Unit-norm features of the images that are searched, or of a random sample of them.
    weight
        The share `w` of the texts against the photos, from 0 to 1, if there are both.
    aversion
        The factor `a` of each negated phrase.

    A single text or photo is returned unchanged. Raises `DataError` for neither texts nor photos,
    and for a weight outside 0 to 1.
    """
    if not 0 <= weight <= 1:
        raise DataError(f"Expected argument `weight` from 0 to 1, got {weight}.")
    if not len(texts) and not len(photos):
        raise DataError("Expected a text or a photo to search for, got neither.")
    sides = [unit_norm(side.mean(dim=0, keepdim=True)) for side in (texts, photos) if len(side)]
    if len(sides) == 1 and not len(negated):
        return sides[0][0]
    shares = texts.new_tensor([weight, 1 - weight] if len(sides) == 2 else [1.0])
    wanted = torch.cat(sides)
    scales = spread(wanted, keys)
    least = float(scales[0]) if len(texts) else 0.0
    query = (shares / scales) @ wanted
    if len(negated):
        query -= (aversion / spread(negated, keys).clamp_min(least)) @ negated
    return unit_norm(query[None])[0]


def spread(queries: Float[Tensor, "q d"], keys: Float[Tensor, "n d"]) -> Float[Tensor, " q"]:
    """The standard deviation of each query's cosines with the keys; 1 where all are equal."""
    if not len(keys):
        return queries.new_ones(len(queries))
    deviations = (queries @ keys.T).std(dim=1, correction=0)
    return torch.where(deviations > 1e-6, deviations, torch.ones_like(deviations))
