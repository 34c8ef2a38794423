"""Boxes of annotations in the pixels of their pictures, checked against the headers of those."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipfg.data.images.headers import picture_sizes
from clipfg.data.readers.boxes import BoxFormat, Layout, Unit, corners, outside, place
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.matching import Found
from clipfg.errors import DataError

if TYPE_CHECKING:
    from jaxtyping import Float, Int

MOST_OUTSIDE = 0.05
"""With a larger share of boxes outside their pictures, the boxes are read in a wrong way."""


def placed_boxes(
    annotations: Annotations, found: Found, order: Int[np.ndarray, " n"], doubts: list[str]
) -> Float[np.ndarray, "n 4"]:
    """The boxes of rows in pixels of the upright pictures, NaN for rows without a box."""
    given = annotations.boxes[order]
    boxed = ~np.isnan(given).any(axis=1)
    if not boxed.any():
        return given
    used, rows = np.unique(annotations.rows[order[boxed]], return_inverse=True)
    sizes = picture_sizes([found.uris[picture] for picture in used])
    annotated = annotations.sizes[used]
    if annotations.boxes_are is None:
        annotations.boxes_are = _tell(annotations, given[boxed], sizes.upright[rows])
    placed = place(given[boxed], annotations.boxes_are, sizes, rows, annotated)
    known = np.asarray((sizes.stored > 0).all(axis=1))
    other = np.unique(rows[np.isnan(placed).any(axis=1) & known[rows]])
    if len(other):
        _refuse_shape(annotations, found, used, other, sizes.upright, annotated)
    scaled = (annotated > 0).all(axis=1) & known
    scaled &= (np.sort(annotated, axis=1) != np.sort(sizes.stored, axis=1)).any(axis=1)
    if scaled.any() and annotations.boxes_are.unit == "pixels":
        one = found.ids[used[int(np.argmax(scaled))]]
        doubts.append(
            f"{int(scaled.sum()):,} pictures, such as {one}, are of another size than when they"
            " were annotated; their boxes were scaled."
        )
    checked = known[rows]
    wrong = outside(placed[checked], sizes.upright[rows[checked]])
    if len(wrong) and wrong.mean() > MOST_OUTSIDE:
        _refuse_boxes(annotations, given[boxed][checked], sizes.upright[rows[checked]], wrong)
    if wrong.any():
        doubts.append(
            f"{int(wrong.sum()):,} boxes have no area or lie outside their pictures, and are"
            " skipped one by one; --box-format settles what their numbers mean."
        )
    # A picture whose size is not known cannot be decoded: a box that is none keeps it a failure.
    placed[~known[rows]] = 0.0
    boxes = given.copy()
    boxes[boxed] = placed
    return boxes


def _tell(
    annotations: Annotations, given: Float[np.ndarray, "n 4"], upright: Int[np.ndarray, "n 2"]
) -> BoxFormat:
    """What four numbers mean where only one reading fits all. Raises `DataError` where two do."""
    unit: Unit = "relative" if given.max() <= 1 and (given % 1 != 0).any() else "pixels"
    limits = np.ones_like(upright) if unit == "relative" else upright
    known = np.asarray((upright > 0).all(axis=1))
    layouts: tuple[Layout, ...] = ("xyxy", "xywh")
    fitting = [
        layout
        for layout in layouts
        if not outside(corners(given, layout)[known], limits[known]).any()
    ]
    if len(fitting) == 1:
        return BoxFormat(fitting[0], unit)
    shown = ", ".join(f"{value:g}" for value in given[0])
    which = "both corners or a corner with width and height" if fitting else "neither"
    raise DataError(
        f"Expected to tell what boxes such as {shown} of {annotations.source} mean, but {which}"
        " would fit; say it by --box-format 'xyxy|xywh|cxcywh pixels|relative|percent'."
    )


def _refuse_shape(
    annotations: Annotations,
    found: Found,
    used: Int[np.ndarray, " p"],
    other: Int[np.ndarray, " q"],
    upright: Int[np.ndarray, "p 2"],
    annotated: Int[np.ndarray, "p 2"],
) -> None:
    one = int(other[0])
    raise DataError(
        f"Expected {found.ids[used[one]]} in {annotated[one][0]} x {annotated[one][1]} pixels, as"
        f" {annotations.source} has it, got {upright[one][0]} x {upright[one][1]}"
        f" ({len(other):,} such pictures); boxes are right on the annotated pictures alone."
    )


def _refuse_boxes(
    annotations: Annotations,
    given: Float[np.ndarray, "n 4"],
    upright: Int[np.ndarray, "n 2"],
    wrong: NDArray[np.bool_],
) -> None:
    """Raise where another layout of four numbers fits nearly all boxes, or this one hardly any."""
    assert annotations.boxes_are is not None
    layouts: tuple[Layout, ...] = ("xyxy", "xywh", "cxcywh")
    unit: Unit = "relative" if given.max() <= 1 else "pixels"
    limits = np.ones_like(upright) if unit == "relative" else upright
    fitting = [
        str(BoxFormat(layout, unit))
        for layout in layouts
        if outside(corners(given, layout), limits).mean() <= MOST_OUTSIDE
    ]
    if not fitting and wrong.mean() <= 0.5:
        return  # some are wrong, whatever the numbers mean: each is a failure of its own
    hint = f" They would fit as {' or '.join(fitting)}." if fitting else ""
    one = int(np.argmax(wrong))
    shown = ", ".join(f"{value:g}" for value in given[one])
    width, height = upright[one]
    raise DataError(
        f"Expected boxes as {annotations.boxes_are} in {annotations.source}, but"
        f" {int(wrong.sum()):,} of {len(wrong):,} have no area or lie outside their pictures, such"
        f" as {shown} in {width} x {height} pixels.{hint} Say what the numbers are by"
        " --box-format 'xyxy|xywh|cxcywh pixels|relative|percent'."
    )
