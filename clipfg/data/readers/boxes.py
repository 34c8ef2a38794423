"""Boxes as people write them, and as clipfg has them: corners in pixels of the upright picture.

People write corners, or a corner with width and height, or the centre with width and height; in
pixels, as shares of the picture, or in per cent; of the picture as it is stored, or as its EXIF
orientation sets it upright. The file's format says which, and the picture's own size is the check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from clipfg.data.images.headers import PictureSizes
from clipfg.errors import UsageError

if TYPE_CHECKING:
    from jaxtyping import Float, Int

Layout = Literal["xyxy", "xywh", "cxcywh"]
Unit = Literal["pixels", "relative", "percent"]

WHOLE = {"relative": 1.0, "percent": 100.0}
"""What all of a side is in each unit."""

OTHER_SHAPE = 0.02
"""Sizes whose ratios of width to height differ by more than this are of different pictures."""

FARTHEST = 1e9
"""Where a box may end in pixels: no picture is as large, and the numbers stay finite."""

_BOTH = [0, 1, 0, 1]
"""Width and height for each of two corners."""


@dataclass(frozen=True)
class BoxFormat:
    """What four numbers of a box mean."""

    layout: Layout
    unit: Unit = "pixels"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`"xywh"`, `"cxcywh relative"`: a layout and a unit. Raises `UsageError`."""
        words = text.lower().replace(",", " ").split()
        layouts = [word for word in words if word in get_args(Layout)]
        units = [word for word in words if word in get_args(Unit)]
        if len(layouts) != 1 or len(units) > 1 or len(layouts) + len(units) != len(words):
            raise UsageError(
                f"Expected --box-format xyxy, xywh or cxcywh, with pixels (the default), relative"
                f" or percent, such as 'xywh relative'; got {text!r}."
            )
        return cls(layouts[0], *units)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return self.layout if self.unit == "pixels" else f"{self.layout} {self.unit}"


def corners(boxes: Float[np.ndarray, "n 4"], layout: Layout) -> Float[np.ndarray, "n 4"]:
    """Boxes of any layout as corners x0, y0, x1, y1."""
    if layout == "xyxy":
        return boxes
    first, size = boxes[:, :2], boxes[:, 2:]
    if layout == "cxcywh":
        first = first - size / 2
    return np.concatenate([first, first + size], axis=1)


def place(
    boxes: Float[np.ndarray, "n 4"],
    box_format: BoxFormat,
    sizes: PictureSizes,
    rows: Int[np.ndarray, " n"],
    annotated: Int[np.ndarray, "p 2"],
) -> Float[np.ndarray, "n 4"]:
    """Boxes as corners in pixels of the upright pictures; NaN where a picture's size is not known.

    `rows` says which of the pictures of `sizes` a box is of. `annotated` is the width and height
    that the annotations give for each picture, 0 where they give none. Where that is the size of a
    picture as stored, its boxes are turned with it. Where it is another size of the same shape, as
    of a thumbnail, boxes are scaled. Without it, pixels that fit a rotated picture only as stored
    are turned, all others are taken as upright. A picture of another shape gives NaN.
    """
    stored, upright, given = (
        side.astype(np.float64) for side in (sizes.stored, sizes.upright, annotated)
    )
    told = np.asarray((given > 0).all(axis=1))
    as_upright, as_stored = _same_shape(given, upright), _same_shape(given, stored)
    found = corners(boxes, box_format.layout)
    turned = told & ~as_upright & as_stored
    if box_format.unit == "pixels":
        turned |= ~told & _fit_stored_only(found, rows, stored, upright)
    turned &= sizes.turn >= 5
    own = np.where(turned[:, None], stored, upright)
    frame = np.where(told[:, None], given, own)
    if box_format.unit != "pixels":
        frame = np.full_like(own, WHOLE[box_format.unit])
    scale = own / np.where(frame > 0, frame, 1)
    placed = _turn(found * scale[rows][:, _BOTH], sizes.turn[rows], stored[rows], turned[rows])
    lost = (told & ~as_upright & ~turned) | (upright <= 0).any(axis=1)
    placed[lost[rows]] = np.nan
    return np.clip(placed, -FARTHEST, FARTHEST)


def _fit_stored_only(
    boxes: Float[np.ndarray, "n 4"],
    rows: Int[np.ndarray, " n"],
    stored: Float[np.ndarray, "p 2"],
    upright: Float[np.ndarray, "p 2"],
) -> NDArray[np.bool_]:
    """The pictures that hold all of their boxes as they are stored, and not as they stand."""

    def beyond(sizes: Float[np.ndarray, "p 2"]) -> NDArray[np.bool_]:
        out = (boxes > sizes[rows][:, _BOTH] * (1 + OTHER_SHAPE) + 1).any(axis=1)
        return np.bincount(rows, weights=out, minlength=len(sizes)) > 0

    return beyond(upright) & ~beyond(stored)


def _same_shape(
    one: Float[np.ndarray, "p 2"], other: Float[np.ndarray, "p 2"]
) -> NDArray[np.bool_]:
    cross = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])
    # A side of a thumbnail is rounded by up to a pixel.
    least = np.maximum(one.min(axis=1), 1)
    slack = OTHER_SHAPE + 1 / least
    return np.asarray(cross <= slack * np.maximum(one[:, 0] * other[:, 1], 1))


def _turn(
    boxes: Float[np.ndarray, "n 4"],
    turn: Int[np.ndarray, " n"],
    stored: Float[np.ndarray, "n 2"],
    chosen: NDArray[np.bool_],
) -> Float[np.ndarray, "n 4"]:
    """The `chosen` boxes of stored pictures in the upright ones (EXIF 2.32, tag 274, 5 to 8)."""
    x0, y0, x1, y1 = boxes.T
    width, height = stored.T
    columns = np.isin(turn, (7, 8))  # the stored columns run backwards
    lines = np.isin(turn, (6, 7))  # the stored rows do
    left, right = np.where(columns, width - x1, x0), np.where(columns, width - x0, x1)
    top, bottom = np.where(lines, height - y1, y0), np.where(lines, height - y0, y1)
    turned = np.stack([top, left, bottom, right], axis=1)
    return np.where(chosen[:, None], turned, boxes)


def outside(
    boxes: Float[np.ndarray, "n 4"], upright: Int[np.ndarray, "n 2"], most: float = 0.05
) -> NDArray[np.bool_]:
    """Which boxes have no area, or more than the share `most` of it outside their picture `[n]`."""
    inside = np.clip(boxes, 0, upright[:, _BOTH])
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    seen = np.prod(inside[:, 2:] - inside[:, :2], axis=1)
    proper = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    return ~np.asarray(proper & (seen >= (1 - most) * area))


def box_ids(pictures: Sequence[str], boxes: Float[np.ndarray, "n 4"]) -> list[str]:
    """An id per item: the picture, with its box in whole pixels, `scene1.jpg#20,30,247,257`.

    It holds nothing but the picture and the box, so that no threshold changes it. Items without a
    box (NaN) have the picture alone; equal ids get `#2`, `#3` in the order of the file.
    """
    whole = np.isnan(boxes).any(axis=1)
    rounded = np.rint(np.where(whole[:, None], 0, boxes)).astype(np.int64).tolist()
    ids, seen = [], dict[str, int]()
    for name, (x0, y0, x1, y1), alone in zip(pictures, rounded, whole.tolist(), strict=True):
        wanted = name if alone else f"{name}#{x0},{y0},{x1},{y1}"
        again = seen[wanted] = seen.get(wanted, 0) + 1
        ids.append(wanted if again == 1 else f"{wanted}#{again}")
    return ids
