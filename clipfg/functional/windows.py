"""Windows: the part of an image that an encoder is shown, in pixels."""

import math
from itertools import product

Window = tuple[float, float, float, float]
"""`x0, y0, x1, y1`, with `x0 < x1` and `y0 < y1`."""

Grid = tuple[tuple[float, int], ...]
GRID: Grid = ((1 / 2, 3), (1 / 4, 7))
"""The sides of a grid's windows, as a share of the image's, and how many there are each way: each
overlaps the next by half, so that no part is cut by all of them (docs/benchmarks/boxes.md)."""


def window_size(window: Window) -> tuple[int, int]:
    """Width and height of a window in whole pixels, at least 1."""
    x0, y0, x1, y1 = window
    return max(1, round(x1 - x0)), max(1, round(y1 - y0))


def visible_part(box: Window, width: int, height: int) -> Window | None:
    """What of a box lies in an image of `width x height` pixels; None where nothing does."""
    x0, y0, x1, y1 = box
    inside = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    return inside if inside[0] < inside[2] and inside[1] < inside[3] else None


def square_window(box: Window, width: int, height: int, margin: float) -> Window:
    """A square around a box with `margin` times its longer side left on each side of it.

    It is moved to lie within the image; where the image is too small for that, the window ends at
    the image's edges.
    """
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0) * (1 + 2 * margin)
    left, right = _placed((x0 + x1) / 2, side, width)
    top, bottom = _placed((y0 + y1) / 2, side, height)
    return left, top, right, bottom


def _placed(centre: float, length: float, limit: int) -> tuple[float, float]:
    """Where a stretch of `length` around `centre` begins and ends, moved to lie in 0 to `limit`."""
    length = min(length, float(limit))
    start = min(max(centre - length / 2, 0.0), limit - length)
    return start, start + length


def tile(row: int, column: int, tiles: int, width: int, height: int) -> Window:
    """One of `tiles x tiles` equal parts of an image."""
    return (
        width * column / tiles,
        height * row / tiles,
        width * (column + 1) / tiles,
        height * (row + 1) / tiles,
    )


def grid_windows(width: int, height: int, grid: Grid = GRID) -> list[Window]:
    """The windows of a grid over an image, large ones first, each size row by row."""
    found = []
    for side, count in grid:
        for down, across in product(range(count), repeat=2):
            x, y = across * (1 - side) / (count - 1), down * (1 - side) / (count - 1)
            found.append((x * width, y * height, (x + side) * width, (y + side) * height))
    return found


def corner_window(across: float, down: float, share: float, width: int, height: int) -> Window:
    """A square of `share` times the shorter side, placed between the edges.

    `across` and `down` go from 0 (left, top) to 1 (right, bottom).
    """
    side = share * min(width, height)
    left, top = across * (width - side), down * (height - side)
    return left, top, left + side, top + side


def shorten(window: Window, ratio: int) -> Window:
    """The middle of a window that is longer than `ratio` times its width, else the window."""
    x0, y0, x1, y1 = window
    wide, high = x1 - x0, y1 - y0
    spare_x, spare_y = max(0.0, wide - ratio * high) / 2, max(0.0, high - ratio * wide) / 2
    return x0 + spare_x, y0 + spare_y, x1 - spare_x, y1 - spare_y


def is_box(values: tuple[float, ...]) -> bool:
    """Whether four numbers are the corners of a box that has an area."""
    if len(values) != 4 or not all(map(math.isfinite, values)):
        return False
    x0, y0, x1, y1 = values
    return x0 < x1 and y0 < y1
