"""Small copies of images for pages."""

import io

from PIL import Image

from clipfg.data.images.decoding import decode
from clipfg.data.sources import read

SIDE = 192


def thumbnail(uri: str, side: int = SIDE) -> bytes:
    """The image at `uri` as a JPEG of at most `side` x `side` pixels, never enlarged.

    Raises `ItemError` when it cannot be read.
    """
    buffer = io.BytesIO()
    shrunk(uri, side).save(buffer, format="JPEG", quality=85)
    return buffer.getvalue()


def shrunk(uri: str, side: int) -> Image.Image:
    """The image at `uri` at no more than `side` x `side` pixels, or an `ItemError`."""

    def target(width: int, height: int) -> tuple[int, int]:
        scale = min(1.0, side / max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))

    image = decode(read(uri), target)
    # The sides of a reduced image may be a pixel off the full image's proportions.
    whole = image.info.get("drafted", (image.size,))[0]
    return image.resize(target(*whole), Image.Resampling.LANCZOS)
