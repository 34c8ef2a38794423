"""Where the object of an image is, told from its own features alone: no text, no class, no label."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

SPREAD = 2.6
"""Standard deviations from the centre of an object to the side of its box: see
`python -m benchmarks.views`. A bar of even weight ends at 1.73 of its own."""


def object_map(
    patches: Float[Tensor, "h w d"], pooled: Float[Tensor, "d"]
) -> Float[Tensor, "h w"]:
    """How much each patch is of what the image is about: 0 for those below the average.

    The cosine of the patch with the pooled feature, less its mean over the image.
    """
    cosines = normalize(patches.float(), dim=-1) @ normalize(pooled.float(), dim=-1)
    return (cosines - cosines.mean()).clamp(min=0)


def object_box(weights: Float[Tensor, "h w"], spread: float = SPREAD) -> Float[Tensor, "4"]:
    """A box around the mass of a map: `x0, y0, x1, y1` in shares of the sides, from 0 to 1.

    It reaches `spread` standard deviations from the mean along each side, where a cell's own width
    counts; so it is finer than the grid. All of the image for a map without mass.
    """
    if not weights.sum() > 0:
        return weights.new_tensor([0.0, 0.0, 1.0, 1.0])
    ends = []
    for along in (weights.sum(dim=0), weights.sum(dim=1)):
        share, cells = along / along.sum(), len(along)
        places = (torch.arange(cells, device=along.device) + 0.5) / cells
        mean = (share * places).sum()
        deviation = ((share * (places - mean) ** 2).sum() + 1 / (12 * cells**2)).sqrt()
        ends.append((mean - spread * deviation, mean + spread * deviation))
    (x0, x1), (y0, y1) = ends
    return torch.stack([x0, y0, x1, y1]).clamp(0, 1)
