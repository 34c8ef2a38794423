"""Where the object of an image is, told from its own patches alone: no text, no class, no label."""

import torch
from jaxtyping import Float
from torch import Tensor

SPREAD = 2.6
"""Standard deviations from the centre of an object to the side of its box: see
`python -m benchmarks.views --objects`. A bar of even weight ends at 1.73 of its own."""


def object_map(patches: Float[Tensor, "h w d"]) -> Float[Tensor, "h w"]:
    """How far each patch is from the mean patch of the image, less the average; at least 0.

    Most patches are background and make the mean; what differs from it most is the object.
    """
    distances = (patches.float() - patches.float().mean(dim=(0, 1))).norm(dim=-1)
    return (distances - distances.mean()).clamp(min=0)


def object_box(weights: Float[Tensor, "h w"], spread: float = SPREAD) -> Float[Tensor, "4"]:
    """A box around the mass of a map: `x0, y0, x1, y1` in shares of the sides, from 0 to 1.

    It reaches `spread` standard deviations from the mean along each side, where a cell's own width
    counts, so that it is finer than the grid; all of the image for a map without mass.
    """
    if not weights.sum() > 0:
        return weights.new_tensor([0.0, 0.0, 1.0, 1.0])
    (x0, x1), (y0, y1) = (_stretch(weights.sum(dim=axis), spread) for axis in (0, 1))
    return torch.stack([x0, y0, x1, y1]).clamp(0, 1)


def _stretch(weights: Float[Tensor, " p"], spread: float) -> tuple[Tensor, Tensor]:
    share, cells = weights / weights.sum(), len(weights)
    places = (torch.arange(cells, device=weights.device) + 0.5) / cells
    mean = (share * places).sum()
    deviation = ((share * (places - mean) ** 2).sum() + 1 / (12 * cells**2)).sqrt()
    return mean - spread * deviation, mean + spread * deviation
