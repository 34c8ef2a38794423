"""Where the object is, against plain loops."""

import numpy as np
import torch

from clipfg.functional.objectness import object_box, object_map


def test_the_map_is_the_distance_from_the_mean_patch() -> None:
    patches = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    cells = patches.reshape(12, 5).numpy().astype(np.float64)
    mean = sum(cells) / 12
    distances = np.array([np.sqrt(((cell - mean) ** 2).sum()) for cell in cells])
    expected = np.maximum(distances - distances.mean(), 0).reshape(3, 4)
    np.testing.assert_allclose(object_map(patches), expected, atol=1e-5)


def test_the_box_reaches_so_many_deviations_along_each_side() -> None:
    weights = torch.rand(4, 7, generator=torch.Generator().manual_seed(0))
    points = [
        ((column + 0.5 + dx) / 7, (row + 0.5 + dy) / 4, float(weights[row, column]))
        for row in range(4)
        for column in range(7)
        for dx in np.linspace(-0.499, 0.499, 40)
        for dy in np.linspace(-0.499, 0.499, 40)
    ]
    x, y, w = np.array(points).T
    ends = []
    for axis in (x, y):
        mean = (axis * w).sum() / w.sum()
        deviation = np.sqrt(((axis - mean) ** 2 * w).sum() / w.sum())
        ends.append((mean - 1.2 * deviation, mean + 1.2 * deviation))
    expected = [ends[0][0], ends[1][0], ends[0][1], ends[1][1]]
    np.testing.assert_allclose(object_box(weights, 1.2), expected, atol=2e-3)


def test_an_object_on_a_plain_ground_is_boxed() -> None:
    patches = torch.zeros(8, 10, 6) + torch.tensor([1.0, 0, 0, 0, 0, 0])
    patches[2:4, 6:9] = torch.tensor([0.0, 1, 0, 0, 0, 0])
    np.testing.assert_allclose(
        object_box(object_map(patches), 12**0.5 / 2), [0.6, 0.25, 0.9, 0.5], atol=1e-4
    )


def test_without_an_object_it_is_all_of_the_image() -> None:
    assert object_box(object_map(torch.ones(3, 3, 2))).tolist() == [0, 0, 1, 1]
