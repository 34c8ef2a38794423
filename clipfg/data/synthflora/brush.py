"""Polygons and lines in fractions of an image's side."""

import numpy as np
from PIL import Image, ImageDraw

from clipfg.data.synthflora.palette import OUTLINE, Colour
from clipfg.data.synthflora.shapes import Points


class Brush:
    """Polygons and lines in fractions of the image's side on a Pillow image."""

    def __init__(self, canvas: Image.Image) -> None:
        self._draw = ImageDraw.Draw(canvas)
        self._side = canvas.width

    def fill(self, points: Points, colour: Colour) -> None:
        """Fill a polygon `[m, 2]`."""
        flat = (points * self._side).ravel().tolist()
        self._draw.polygon(flat, fill=tuple(map(round, colour)))

    def line(self, points: Points, colour: Colour, width: float) -> None:
        """Draw a line through points `[m, 2]`; `width` is a fraction of the side."""
        flat = (points * self._side).ravel().tolist()
        self._draw.line(flat, tuple(map(round, colour)), max(1, round(width * self._side)))

    def outline(self, points: Points, width: float = 0.0085, colour: Colour = OUTLINE) -> None:
        """Draw a closed line around a polygon."""
        self.line(np.concatenate([points, points[:2]]), colour, width)
