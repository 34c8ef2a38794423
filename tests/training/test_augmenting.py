"""Windows and mirrors: boxes go where the pixels go."""

import numpy as np
import pytest
import torch

from clipfg.training.augmenting import Augmentation


def drawn(count: int, *, mirror: bool = True, crop: float = 0.6, seed: int = 0) -> Augmentation:
    return Augmentation.draw(count, np.random.default_rng(seed), mirror=mirror, crop=crop)


def test_boxes_follow_the_pixels() -> None:
    """A white rectangle on black; its box in the changed image is where white is."""
    size, boxes = 64, torch.tensor([[20.0, 12.0, 44.0, 30.0]]).repeat(40, 1)[:, None]
    pixels = torch.zeros(40, 3, size, size, dtype=torch.uint8)
    pixels[:, :, 12:30, 20:44] = 255
    shown = drawn(40)
    assert shown.mirrored.any()
    assert not shown.mirrored.all()
    images = shown.images(pixels)
    for image, box in zip(images, shown.boxes(boxes, size, size)[:, 0], strict=True):
        rows, columns = (image[0] > 127).nonzero(as_tuple=True)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert torch.stack(seen).sub(box).abs().max() <= 1.01


def test_windows_and_mirrors_keep_their_ranges() -> None:
    shown = drawn(500, crop=0.5)
    sides = shown.windows[:, 2:] - shown.windows[:, :2]
    assert ((sides >= 0.5 - 1e-6) & (sides <= 1)).all()
    assert (sides[:, 0] - sides[:, 1]).abs().max() < 1e-6
    assert ((shown.windows >= 0) & (shown.windows <= 1 + 1e-6)).all()
    assert 0.4 < shown.mirrored.float().mean() < 0.6
    assert not drawn(500, mirror=False).mirrored.any()


@pytest.mark.parametrize("mirror", [True, False])
def test_whole_images_keep_every_pixel(mirror) -> None:
    pixels = torch.randint(0, 256, (8, 3, 9, 7), dtype=torch.uint8)
    shown = drawn(8, mirror=mirror, crop=1.0)
    for image, before, flipped in zip(
        shown.images(pixels), pixels, shown.mirrored.tolist(), strict=True
    ):
        assert image.equal(before.flip(-1) if flipped else before)


def test_a_part_is_changed_as_in_the_whole() -> None:
    pixels = torch.randint(0, 256, (6, 3, 16, 16), dtype=torch.uint8)
    shown = drawn(6)
    assert shown[2:5].images(pixels[2:5]).equal(shown.images(pixels)[2:5])


def test_a_box_outside_the_window_is_empty() -> None:
    shown = Augmentation(torch.tensor([[0.0, 0.0, 0.5, 0.5]]), torch.tensor([False]))
    boxes = torch.tensor([[[12.0, 12.0, 15.0, 15.0], [0.0, 4.0, 8.0, 16.0]]])
    wanted = torch.tensor([[[16.0, 16.0, 16.0, 16.0], [0.0, 8.0, 16.0, 16.0]]])
    assert shown.boxes(boxes, 16, 16).equal(wanted)
