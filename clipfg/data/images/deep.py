"""Images of more than 8 bits a channel as images of 8."""

import re
import sys
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from clipfg.errors import ItemError

DEPTHS = (8, 10, 12, 14, 16)
"""Bits a channel that sensors have."""

_CUT = re.compile(r"(RGB|RGBA|RGBX|LA);16[BLN]")
"""Raw modes of 16 bits, of which Pillow keeps the upper 8."""
_BITS_PER_SAMPLE, _PLANES = 258, 284
_IN_PLANES = (
    "Expected colours pixel by pixel, got a TIFF with a plane of more than 8 bits for each;"
    " save it as PNG."
)


def is_deep(image: Image.Image) -> bool:
    """Whether an image has more than 8 bits a channel; of colours, before it is loaded."""
    return image.mode in {"I", "F"} or image.mode.startswith("I;16") or is_cut(image)


def is_cut(image: Image.Image) -> bool:
    """Whether Pillow will keep the upper 8 of 16 bits of an image that is not loaded yet."""
    return any(_CUT.fullmatch(_raw_mode(args)) for *_, args in getattr(image, "tile", ()))


def check_planes(image: ImageFile.ImageFile) -> None:
    """Refuse a TIFF of 16 bits whose colours Pillow takes for planes of 8. Raises `ItemError`."""
    if image.format == "TIFF" and any(codec == "raw" for codec, *_ in image.tile):
        tags = image.getexif()
        if tags.get(_PLANES) == 2 and max(tags.get(_BITS_PER_SAMPLE, (8,))) > 8:
            raise ItemError(_IN_PLANES)


def scaled_grey(image: Image.Image) -> Image.Image:
    """A grey image of more than 8 bits, by the fewest bits of `DEPTHS` that hold its values."""
    values = np.nan_to_num(np.asarray(image).astype(np.float32), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    bits = DEPTHS[-1]
    if image.mode != "F" and low >= 0 and high < 2 ** DEPTHS[-1]:  # a PGM of 16 bits comes as "I"
        bits = next(depth for depth in DEPTHS if high < 2**depth)
        low, high = 0.0, 2.0**bits - 1
    elif low >= 0 and high <= 255:
        low, high = 0.0, 1.0 if high <= 1 else 255.0
    scaled = (values - low) * (255.0 / max(high - low, 1e-12))
    return _with_bits(Image.fromarray(np.rint(scaled).astype(np.uint8)), bits)


def scaled_colours(upper: Image.Image, data: bytes) -> Image.Image:
    """A colour image, of whose 16 bits Pillow has kept the `upper` 8, by its values' own bits.

    All colours are scaled alike, transparency by itself. Where a value needs 15 bits or more, the
    upper 8 are what scaling would give.
    """
    if np.asarray(upper)[..., :3].max() >= 1 << (DEPTHS[-2] - 8):
        return upper
    pairs = list(zip(upper.split(), _lower(data).split(), strict=True))
    values = [np.asarray(high, np.uint16) << 8 | np.asarray(low) for high, low in pairs]
    tops = [max(int(plane.max()) for plane in part) for part in (values[:3], values[3:]) if part]
    depths = [next(depth for depth in DEPTHS if top < 2**depth) for top in tops]
    scales = [255 / (2**depth - 1) for depth in depths]
    planes = [
        Image.fromarray(np.rint(plane * np.float32(scales[at // 3])).astype(np.uint8))
        for at, plane in enumerate(values)
    ]
    return _with_bits(Image.merge(upper.mode, planes), depths[0])


def _with_bits(image: Image.Image, bits: int) -> Image.Image:
    if bits < DEPTHS[-1]:
        image.info["bits"] = bits
    return image


def _lower(data: bytes) -> Image.Image:
    """The lower 8 bits: Pillow's upper ones when it reads each pair of bytes the other way round.

    It knows grey with transparency in one order alone: there the four bytes are read as such.
    """
    with Image.open(BytesIO(data), formats=("PNG", "TIFF")) as image:
        if image.format == "TIFF" and image.getexif().get(_PLANES) == 2:
            raise ItemError(_IN_PLANES)
        grey = any(_raw_mode(args).startswith("LA") for *_, args in image.tile)
        image.tile = [tile._replace(args=_swapped(tile.args)) for tile in image.tile]
        image.load()
        if not grey:
            return image
        low, transparency = image.getchannel(1), image.getchannel(3)
        return Image.merge("RGBA", (low, low, low, transparency))


def _raw_mode(args: Any) -> str:
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _swapped(args: Any) -> Any:
    raw = _raw_mode(args)
    little = raw.endswith("L") or (raw.endswith("N") and sys.byteorder == "little")
    raw = "RGBA" if raw.startswith("LA") else raw[:-1] + ("B" if little else "L")
    return raw if isinstance(args, str) else (raw, *args[1:])
