"""What the methods that look into a transformer share."""

from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.encoders import Encoder
from clipfg.encoders.towers import TokenTower, Trace
from clipfg.errors import UsageError
from clipfg.functional.regions import patch_grid


def trace(encoder: Encoder, pixels: UInt8[Tensor, "b 3 h w"]) -> tuple[TokenTower, Trace]:
    """The tower and what happened in it. Raises `UsageError` for one without attention."""
    tower = encoder.tower
    if not isinstance(tower, TokenTower):
        raise UsageError(
            f"{encoder.name} has no attention to look into: it is no vision transformer (ViT); try"
            " --method dense."
        )
    return tower, encoder.trace(pixels)


def cosines(pooled: Float[Tensor, "b d"], texts: Float[Tensor, "t d"]) -> Float[Tensor, "t"]:
    """The cosine with each text, summed over images, whose graphs are apart."""
    return (normalize(pooled.float(), dim=-1) @ texts.to(pooled.device).T).sum(dim=0)


def on_grid(
    tokens: Float[Tensor, "b t n"], prefix: int, pixels: UInt8[Tensor, "b 3 h w"]
) -> Float[Tensor, "b t rows cols"]:
    """Values of tokens as maps, without the `prefix` tokens that stand before the patches."""
    patches = tokens[:, :, prefix:]
    return (
        patches.detach()
        .float()
        .cpu()
        .unflatten(2, patch_grid(patches.shape[2], *pixels.shape[-2:]))
    )
