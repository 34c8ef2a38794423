"""Boxes on a map of patch features."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clipfg.errors import DataError


def patch_grid(patches: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the square patches that an image of `height x width` pixels is cut into.

    A margin too narrow for another patch is left over. Raises `DataError` where no size of patch
    gives that many.
    """
    for side in range(1, min(height, width) + 1):
        rows, columns = height // side, width // side
        if rows * columns == patches:
            return rows, columns
    raise DataError(
        f"Expected square patches that fill an image of {height} x {width} pixels, got {patches} of"
        " them."
    )


def coverage(boxes: Float[Tensor, "r 4"], grid: tuple[int, int]) -> Float[Tensor, "r p"]:
    """The share of each box that lies on each cell of a grid, row by row from the top left.

    Boxes are `x0, y0, x1, y1` in fractions of the sides, from 0 to 1; `grid` is the number of rows
    and columns. A box weighs each cell by the area that it covers of it, so its shares sum to 1;
    those of an empty box, or of one outside the grid, are all 0.
    """
    rows, columns = grid

    def along(low: Tensor, high: Tensor, cells: int) -> Tensor:
        edges = torch.arange(cells, device=boxes.device) / cells
        ends = torch.minimum(high[:, None], edges + 1 / cells)
        return (ends - torch.maximum(low[:, None], edges)).clamp(min=0)

    down = along(boxes[:, 1], boxes[:, 3], rows)
    across = along(boxes[:, 0], boxes[:, 2], columns)
    area = (down[:, :, None] * across[:, None, :]).flatten(1)
    return area / area.sum(dim=1, keepdim=True).clamp(min=1e-8)


def holds(boxes: Float[Tensor, "r 4"], grid: tuple[int, int]) -> Bool[Tensor, "r p"]:
    """Which cells of a grid have their centre in each box, row by row from the top left.

    Boxes are in fractions of the sides, as those of `coverage`.
    """
    rows, columns = grid
    y = ((torch.arange(rows) + 0.5) / rows).repeat_interleave(columns)
    x = ((torch.arange(columns) + 0.5) / columns).repeat(rows)
    x0, y0, x1, y1 = boxes.T[..., None]
    return (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)


def region_means(
    patches: Float[Tensor, "p d"], grid: tuple[int, int], boxes: Float[Tensor, "r 4"]
) -> Float[Tensor, "r d"]:
    """The mean of the patch features under each box, weighted by `coverage`; 0 for an empty box."""
    return coverage(boxes, grid).to(patches.dtype) @ patches


def check_areas(boxes: Float[Tensor, "r 4"]) -> None:
    """Raise `DataError` for a box that is not finite or has no area."""
    wrong = ~(boxes.isfinite().all(1) & (boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3]))
    if wrong.any():
        first = [round(value, 2) for value in boxes[wrong][0].tolist()]
        raise DataError(
            f"Expected boxes x0, y0, x1, y1 with x0 < x1 and y0 < y1, got {first}; convert boxes"
            " that are x, y, width, height."
        )


def align_regions(
    patches: Float[Tensor, "p d"], grid: tuple[int, int], boxes: Float[Tensor, "r 4"]
) -> Float[Tensor, "r d"]:
    """One feature for each box: RoIAlign to 1 x 1 (Mask R-CNN, arXiv:1703.06870, section 3).

    Boxes are `x0, y0, x1, y1` in cells of a grid of rows and columns, from the outer edges of the
    first cell. The map is sampled bilinearly once for each cell's breadth of the box
    (`sampling_ratio=-1`, `aligned=True`), and the samples are averaged. Raises `DataError` for a
    box without an area, for which RoIAlign would give 0.
    """
    from torchvision.ops import roi_align

    check_areas(boxes)
    rows, columns = grid
    map_ = patches.float().T.reshape(1, -1, rows, columns)
    return roi_align(map_, [boxes.to(map_)], 1, sampling_ratio=-1, aligned=True).flatten(1)
