import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clipfg.errors import DataError
from clipfg.functional.regions import coverage, patch_grid, region_means

SIDES = st.floats(0, 1, width=32)
BOXES = st.lists(st.tuples(SIDES, SIDES, SIDES, SIDES), min_size=1, max_size=5)


def overlap(low: float, high: float, cell: int, cells: int) -> float:
    return max(0.0, min(high, (cell + 1) / cells) - max(low, cell / cells))


@given(boxes=BOXES, rows=st.integers(1, 5), columns=st.integers(1, 5))
def test_coverage_is_the_share_of_the_boxs_area_on_each_cell(boxes, rows, columns) -> None:
    found = coverage(torch.tensor(boxes), (rows, columns)).reshape(-1, rows, columns)
    for (x0, y0, x1, y1), shares in zip(boxes, found, strict=True):
        areas = [
            [overlap(y0, y1, i, rows) * overlap(x0, x1, j, columns) for j in range(columns)]
            for i in range(rows)
        ]
        total = sum(map(sum, areas))
        if total > 1e-4:
            np.testing.assert_allclose(shares, np.array(areas) / total, atol=5e-3)
            assert shares.sum() == pytest.approx(1, abs=1e-4)
        elif x1 <= x0 or y1 <= y0:
            assert not shares.any()


def test_a_box_takes_the_mean_of_the_points_inside_it() -> None:
    """Against sampling: the patch under each of many points of the box."""
    rows, columns = 3, 4
    patches = torch.randn(rows * columns, 5, generator=torch.Generator().manual_seed(0))
    box = [0.13, 0.2, 0.71, 0.93]
    points = (np.arange(800) + 0.5) / 800
    x = ((box[0] + points * (box[2] - box[0])) * columns).astype(int)
    y = ((box[1] + points * (box[3] - box[1])) * rows).astype(int)
    under = patches.reshape(rows, columns, 5)[y][:, x]
    found = region_means(patches, (rows, columns), torch.tensor([box, [0.0, 0, 1, 1]]))
    torch.testing.assert_close(found[0], under.mean((0, 1)), atol=3e-3, rtol=0)
    torch.testing.assert_close(found[1], patches.mean(0))


@pytest.mark.parametrize("box", [[0.5, 0.5, 0.5, 0.9], [0.9, 0.1, 0.2, 0.5], [1.2, 0.1, 1.5, 0.4]])
def test_an_empty_box_has_a_mean_of_zero(box) -> None:
    assert not region_means(torch.ones(4, 3), (2, 2), torch.tensor([box])).any()


@pytest.mark.parametrize(
    ("height", "width", "side"), [(224, 224, 16), (96, 96, 8), (224, 336, 14), (50, 31, 7)]
)
def test_the_grid_is_found_from_the_number_of_patches(height, width, side) -> None:
    grid = height // side, width // side
    assert patch_grid(grid[0] * grid[1], height, width) == grid


def test_a_number_of_patches_that_fills_no_image() -> None:
    with pytest.raises(DataError, match="224 x 224 pixels, got 197"):
        patch_grid(197, 224, 224)
