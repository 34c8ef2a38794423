"""A map laid over its image, as a picture."""

import io
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

Colour = tuple[int, int, int]

FOR: Colour = (213, 94, 0)
AGAINST: Colour = (0, 114, 178)
"""Okabe and Ito's vermilion and blue, which most colour-blind readers tell apart."""

GREY = 0.55
"""How much of the image's own colour is taken away, so that the map's colours are its own."""
STRONGEST = 0.85
"""The opacity of a map's highest value."""
STEEP = 2.0
"""The power of a value, as a share of the highest, that its opacity grows by: what is half as high
is hardly tinted, so that the highest places stand out."""
STRIPE = 9
"""Pixels between the stripes over what was not seen."""


def overlay(
    image: Image.Image,
    values: Float[Tensor, "h w"],
    seen: Bool[Tensor, "h w"],
    *,
    colour: Colour | Literal["both"] = FOR,
) -> Image.Image:
    """The image under a map of its own size, striped where the tower did not see it.

    With one colour, the lowest value that was seen is clear and the highest opaque. With `"both"`,
    0 is clear, and the largest value either way is opaque, `FOR` above 0 and `AGAINST` below.
    """
    base = np.asarray(image.convert("RGB"), dtype=np.float32)
    grey = base.mean(axis=2, keepdims=True)
    base = (1 - GREY) * base + GREY * grey
    strength = _strength(values, seen, signed=colour == "both").numpy()[..., None]
    ink = np.where(strength >= 0, FOR, AGAINST) if colour == "both" else np.array(colour)
    opacity = STRONGEST * np.abs(strength) ** STEEP
    painted = (1 - opacity) * base + opacity * ink
    rows, columns = np.indices(seen.shape)
    stripes = np.where((rows + columns) % STRIPE < STRIPE // 3, 90.0, 60.0)[..., None]
    hidden = 0.35 * grey + stripes
    shown = np.where(seen.numpy()[..., None], painted, hidden)
    return Image.fromarray(shown.clip(0, 255).round().astype(np.uint8))


def _strength(
    values: Float[Tensor, "h w"], seen: Bool[Tensor, "h w"], *, signed: bool
) -> Float[Tensor, "h w"]:
    """From 0 to 1, or from -1 to 1 where signed; 0 all over for a map of one value."""
    inside = values[seen]
    if not inside.numel():
        return torch.zeros_like(values)
    low = torch.zeros(()) if signed else inside.min()
    reach = inside.abs().max() if signed else inside.max() - low
    if reach <= 1e-12:
        return torch.zeros_like(values)
    return ((values - low) / reach).clamp(-1, 1)


def png(image: Image.Image) -> bytes:
    """The bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
