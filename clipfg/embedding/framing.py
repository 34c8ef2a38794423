"""Which part of an image an item stands for, and how the encoder is shown it.

An item without a box and a view is the whole image, resized and cropped as its encoder wants it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from clipfg.errors import ItemError
from clipfg.functional.windows import (
    Window,
    corner_window,
    is_box,
    shorten,
    square_window,
    tile,
    visible_part,
    window_size,
)

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from clipfg.types import Manifest

Crop = Literal["square", "tight", "whole", "region"]

MOST_OUTSIDE = 0.05
"""A box of which more than this share lies outside the image is taken for a mistake, such as width
and height read as a corner; less is what drawn and detected boxes have."""

MIRRORED = "mirrored "
"""What the name of a view begins with that is shown mirrored, left to right."""

MARGIN = 0.1
"""The default of `Framing.margin`: see `python -m benchmarks.boxes`."""


@dataclass(frozen=True)
class Framing:
    """How the box of an item is cut out of its image."""

    crop: Crop = "square"
    """`"square"`: a square around the box; `"tight"`: the box itself; `"whole"`: all of the image;
    `"region"`: the box as read from the dense map of the whole image."""
    margin: float = MARGIN
    """What a square leaves around the box on each side, as a share of its longer side."""

    def frame(self, box: Sequence[float] | None, view: str | None) -> Frame | None:
        """What an item with a box, or a view, is shown as; None for all of the image."""
        if self.crop == "whole":
            box = None
        if box is None and not view:
            return None
        corners = None if box is None else tuple(float(value) for value in np.asarray(box, "<f4"))
        return Frame(corners, view or "", self)

    def frames(self, manifest: Manifest) -> list[Frame | None]:
        """What each item of a manifest is shown as."""
        none = [None] * len(manifest)
        boxes, views = (manifest.column(name) or none for name in ("box", "view"))
        return [self.frame(box, view) for box, view in zip(boxes, views, strict=True)]


@dataclass(frozen=True)
class Frame:
    """The part of an image that one item stands for."""

    box: tuple[float, ...] | None
    """Corners in pixels of the upright image."""
    view: str
    """A kind of view with its numbers after colons (`view_window`), or empty for none."""
    framing: Framing

    @property
    def tag(self) -> bytes:
        """What tells this frame from others of the same image, and keeps its features apart."""
        how = f"{self.framing.crop} {self.framing.margin}" if self.box else ""
        return f"{self.view} {how} {self.box}".encode()

    def window(self, width: int, height: int) -> Window:
        """The part of an upright image of `width x height` pixels, within its edges.

        Raises `ItemError` for a box that is none, or that lies outside the image by more than
        `MOST_OUTSIDE` of its area.
        """
        window: Window = (0.0, 0.0, float(width), float(height))
        if self.box is not None:
            window = self._around(checked(self.box, width, height), width, height)
        x0, y0, _, _ = window
        if (part := view_window(self.view, *window_size(window))) is not None:
            window = (x0 + part[0], y0 + part[1], x0 + part[2], y0 + part[3])
        from clipfg.data.images.decoding import STRIP

        return shorten(window, STRIP)

    def _around(self, box: Window, width: int, height: int) -> Window:
        if self.framing.crop == "square":
            return square_window(box, width, height, self.framing.margin)
        return box

    @property
    def resize(self) -> Literal["pad", "squash"] | None:
        """How the window becomes the tower's input, where not in the encoder's own way."""
        return self.view if self.view in ("pad", "squash") else None  # type: ignore[return-value]

    @property
    def mirrored(self) -> bool:
        """Whether the tower is shown its mirror image, left to right."""
        return self.view.startswith(MIRRORED)


def checked(box: tuple[float, ...], width: int, height: int) -> Window:
    """The part of a box that lies in the image. Raises `ItemError` as `Frame.window` does."""
    shown = ", ".join(f"{value:g}" for value in box)
    if not is_box(box):
        raise ItemError(f"Expected a box x0, y0, x1, y1 with an area, got {shown}.")
    x0, y0, x1, y1 = box
    inside = visible_part((x0, y0, x1, y1), width, height)
    area = 0.0 if inside is None else (inside[2] - inside[0]) * (inside[3] - inside[1])
    if inside is None or area < (1 - MOST_OUTSIDE) * (x1 - x0) * (y1 - y0):
        raise ItemError(
            f"Expected a box x0, y0, x1, y1 in an image of {width} x {height} pixels, got {shown},"
            " which lies outside; is it x, y, width, height, or of another size of the image?"
        )
    return inside


def boxes_inside(boxes: Float[Tensor, "r 4"], width: int, height: int) -> Float[Tensor, "r 4"]:
    """The parts of boxes that lie in the image; empty for those that `checked` would refuse."""
    edge = boxes.new_tensor([width, height] * 2)
    inside = boxes.clamp(min=0).minimum(edge)
    areas = [(each[:, 2:] - each[:, :2]).clamp(min=0).prod(dim=1) for each in (boxes, inside)]
    good = (areas[1] > 0) & (areas[1] >= (1 - MOST_OUTSIDE) * areas[0])
    return inside * good[:, None]


def view_window(view: str, width: int, height: int) -> Window | None:
    """The part of an image that a view shows; None for all of it.

    Views are "tile:ROW:COLUMN:TILES", "corner:ACROSS:DOWN:SHARE" and "around:X0:Y0:X1:Y1", a square
    around a box in shares of the sides; others show all. Any of them may be `MIRRORED`.
    """
    kind, *numbers = view.removeprefix(MIRRORED).split(":")
    if kind == "tile":
        row, column, tiles = map(int, numbers)
        return tile(row, column, tiles, width, height)
    if kind == "corner":
        across, down, share = map(float, numbers)
        return corner_window(across, down, share, width, height)
    if kind == "around":
        x0, y0, x1, y1 = map(float, numbers)
        box = (x0 * width, y0 * height, x1 * width, y1 * height)
        return square_window(box, width, height, margin=0.0)
    return None
