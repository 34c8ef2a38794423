"""Faithfulness on scores whose cause is known."""

import numpy as np
import pytest
import torch

from clipfg.explaining.faithfulness import (
    SAMPLES,
    blend,
    blur,
    kept_patches,
    measure_faithfulness,
)

GRID, CELL = 4, 8


@pytest.fixture
def picture():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8, generator=generator)


def detail(pixels):
    """How rough the third row of cells is: blurring takes it away. `[b, 1]`"""
    cells = pixels[:, :, 2 * CELL : 3 * CELL].float().unfold(3, CELL, CELL)
    return cells.std(dim=(1, 2, 4)).sum(dim=1, keepdim=True)


@pytest.fixture
def right():
    """A map that is highest where the score comes from."""
    generator = torch.Generator().manual_seed(1)
    map_ = torch.rand(GRID, GRID, generator=generator)
    map_[2] += 1.0
    return map_


def test_a_right_map_is_faithful_and_its_reverse_misleading(picture, right) -> None:
    maps = torch.stack([right, -right])
    found = measure_faithfulness(picture, maps, detail, torch.ones(2, 1))
    assert [one.verdict for one in found] == ["faithful", "misleading"]
    assert found[0].gain.value == pytest.approx(-found[1].gain.value)


def test_a_score_of_nothing_makes_maps_say_nothing(picture, right) -> None:
    (found,) = measure_faithfulness(
        picture, right[None], lambda pixels: torch.ones(len(pixels), 1), torch.ones(1, 1)
    )
    assert found.verdict == "says nothing"
    assert found.gain.value == 0


def test_random_maps_say_nothing_nineteen_times_in_twenty(picture) -> None:
    def score(pixels):  # every patch counts, with weights of its own
        generator = torch.Generator().manual_seed(5)
        weights = torch.rand(GRID, GRID, generator=generator)
        cells = pixels.float().unfold(2, CELL, CELL).unfold(3, CELL, CELL)
        return (cells.std(dim=(1, 4, 5)) * weights).sum(dim=(1, 2))[:, None]

    generator = torch.Generator().manual_seed(6)
    maps = torch.rand(200, GRID, GRID, generator=generator)
    found = measure_faithfulness(picture, maps, score, torch.ones(200, 1), seed=3)
    silent = sum(one.verdict == "says nothing" for one in found)
    assert 170 <= silent <= 200


def test_curves_equal_a_loop_over_single_pictures(picture, right) -> None:
    steps, blurred = 4, blur(picture)
    order = np.argsort(-right.flatten().numpy(), kind="stable")

    def curve(order):
        scores = []
        for step in range(steps + 1):
            changed = picture.clone()
            for patch in order[: round(step * GRID * GRID / steps)]:
                y, x = patch // GRID * CELL, patch % GRID * CELL
                changed[:, y : y + CELL, x : x + CELL] = blurred[:, y : y + CELL, x : x + CELL]
            scores.append(float(detail(changed[None])))
        return scores

    (found,) = measure_faithfulness(
        picture, right[None], detail, torch.ones(1, 1), steps=steps, orders=2
    )
    assert found.deletion == pytest.approx(curve(order))
    assert found.insertion == pytest.approx(curve(order[::-1])[::-1])
    areas = [np.trapezoid(each, dx=1 / steps) for each in (found.insertion, found.deletion)]
    assert found.gain.value == pytest.approx((areas[0] - areas[1]) / 2)


def test_differences_of_scores_are_measured_as_such(picture, right) -> None:
    def both(pixels):
        return torch.cat([detail(pixels), 3 * detail(pixels)], dim=1)

    (one,) = measure_faithfulness(picture, right[None], both, torch.tensor([[-1.0, 1.0]]))
    (two,) = measure_faithfulness(picture, right[None], detail, torch.tensor([[2.0]]))
    assert one.gain.value == pytest.approx(two.gain.value)


def test_patches_go_in_equal_steps() -> None:
    kept = kept_patches(torch.tensor([3, 0, 2, 1]), 2)
    assert kept.tolist() == [[True] * 4, [False, True, True, False], [False] * 4]


def test_a_blurred_picture_has_its_colours_alone(picture) -> None:
    blurred = blur(picture)
    assert blurred.shape == picture.shape
    assert blurred.dtype == torch.uint8
    assert blurred.float().std() < picture.float().std() / 3
    flat = torch.full((3, 30, 50), 77, dtype=torch.uint8)
    assert torch.equal(blur(flat), flat)
    assert SAMPLES < GRID * 2


def test_blending_takes_whole_patches(picture) -> None:
    kept = torch.zeros(1, GRID, GRID, dtype=torch.bool)
    kept[0, 1, 3] = True
    mixed = blend(picture, torch.zeros_like(picture), kept)[0]
    assert torch.equal(mixed[:, 8:16, 24:], picture[:, 8:16, 24:])
    assert int(mixed.sum()) == int(picture[:, 8:16, 24:].sum())


def test_patches_that_do_not_fill_the_image_keep_their_size() -> None:
    """Four patches of 7 pixels in 30; what they leave over goes with the last."""
    picture = torch.full((3, 30, 30), 255, dtype=torch.uint8)
    edges = [0, 7, 14, 21, 30]
    for row in range(4):
        for column in range(4):
            kept = torch.zeros(1, 4, 4, dtype=torch.bool)
            kept[0, row, column] = True
            expected = torch.zeros_like(picture)
            expected[:, edges[row] : edges[row + 1], edges[column] : edges[column + 1]] = 255
            assert torch.equal(blend(picture, torch.zeros_like(picture), kept)[0], expected)
