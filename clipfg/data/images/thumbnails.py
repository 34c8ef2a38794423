"""Small copies of images for pages."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw

from clipfg.data.images.decoding import decode
from clipfg.data.sources import read
from clipfg.functional.windows import square_window, window_size

SIDE = 192


AROUND = 0.5
"""What is shown around a box on each side, as a share of its longer side."""


def thumbnail(uri: str, side: int = SIDE, box: Sequence[float] | None = None) -> bytes:
    """The image at `uri` as a JPEG of at most `side` x `side` pixels, never enlarged.

    With a `box` in its pixels, the surroundings of that with its outline. Raises `ItemError` when
    it cannot be read.
    """
    buffer = io.BytesIO()
    image = shrunk(uri, side) if box is None else _surroundings(uri, side, box)
    image.save(buffer, format="JPEG", quality=85)
    return buffer.getvalue()


def _surroundings(uri: str, side: int, box: Sequence[float]) -> Image.Image:
    image = decode(read(uri))
    x0, y0, x1, y1 = map(float, box)
    window = square_window((x0, y0, x1, y1), image.width, image.height, AROUND)
    wide, high = window_size(window)
    scale = min(1.0, side / max(wide, high))
    size = max(1, round(wide * scale)), max(1, round(high * scale))
    shown = image.resize(size, Image.Resampling.LANCZOS, window)
    corners = [(value - window[at % 2]) * scale for at, value in enumerate((x0, y0, x1, y1))]
    pen = ImageDraw.Draw(shown)
    for width, colour in ((3, "white"), (1, "black")):
        pen.rectangle(corners, outline=colour, width=width)
    return shown


def shrunk(uri: str, side: int) -> Image.Image:
    """The image at `uri` at no more than `side` x `side` pixels, or an `ItemError`."""

    def target(width: int, height: int) -> tuple[int, int]:
        scale = min(1.0, side / max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))

    image = decode(read(uri), target)
    # The sides of a reduced image may be a pixel off the full image's proportions.
    whole = image.info.get("drafted", (image.size,))[0]
    return image.resize(target(*whole), Image.Resampling.LANCZOS)
