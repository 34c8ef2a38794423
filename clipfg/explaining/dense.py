"""Dense similarity: how much each patch, by itself, is like the text."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.encoders import Encoder
from clipfg.encoders.base import no_patches
from clipfg.functional.regions import patch_grid


def dense(
    encoder: Encoder, pixels: UInt8[Tensor, "b 3 h w"], texts: Float[Tensor, "t d"]
) -> Float[Tensor, "b t rows cols"]:
    """`cos(f_p, t)`: the cosine, from -1 to 1, of every patch feature with every text.

    Raises `UsageError` for a tower whose patches have no features.
    """
    patches = encoder.encode_images(pixels, patches=True).patches
    if patches is None:
        raise no_patches(encoder.name, "its image tower gives none")
    each = torch.stack(list(patches))
    grid = patch_grid(each.shape[1], *pixels.shape[-2:])
    cosines = normalize(each.cpu(), dim=-1) @ texts.T
    return torch.unflatten(cosines.transpose(1, 2), 2, grid)
