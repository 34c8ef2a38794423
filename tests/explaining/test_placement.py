"""A spot in a picture is found again where it was, whatever the encoder did to the picture."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from clipfg.data.images.decoding import ORIENTATION, UPRIGHT, decode, full_size
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.explaining.placement import Placement

WAYS = [
    Preprocessing((64, 64)),
    Preprocessing((64, 64), resize="squash"),
    Preprocessing((64, 64), resize="pad"),
    Preprocessing((64, 64), shortest=80),
    Preprocessing((66, 64), resize="squash"),
]
CELL = 8


def with_spot(size, spot, turn=1, format="JPEG"):
    """Bytes of a dark picture, stored in any orientation, with a bright square around `spot`."""
    pixels = np.full((size[1], size[0], 3), 20, dtype=np.uint8)
    x, y = spot
    reach = min(size) // 12
    pixels[y - reach : y + reach, x - reach : x + reach] = 250
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    if turn > 1:
        exif[ORIENTATION] = turn
        back = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
        image = image.transpose(back.get(turn, UPRIGHT[turn]))
    buffer = io.BytesIO()
    image.save(buffer, format, exif=exif, quality=95)
    return buffer.getvalue()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.resize}-{way.shortest}-{way.size[0]}")
@pytest.mark.parametrize("size", [(1200, 800), (700, 1100), (300, 300), (61, 93)])
@pytest.mark.parametrize("turn", [1, 6, 7, 8, 3])
def test_a_spot_is_found_again(way, size, turn) -> None:
    spot = (int(size[0] * 0.45), int(size[1] * 0.6))
    image = decode(with_spot(size, spot, turn), way.target)
    assert full_size(image) == size
    pixels = way(image).float().mean(dim=0)
    rows, columns = (side // CELL for side in way.size)
    cells = pixels[: rows * CELL, : columns * CELL]
    map_ = cells.unflatten(0, (rows, CELL)).unflatten(2, (columns, CELL)).mean(dim=(1, 3))
    placement = Placement.of(way, size, (rows, columns))
    x, y = placement.peak(map_)
    x0, y0, x1, y1 = placement.window
    # Half a cell, and a pixel for rounding.
    assert abs(x - spot[0]) <= (x1 - x0) / columns / 2 * 1.2 + 1
    assert abs(y - spot[1]) <= (y1 - y0) / rows / 2 * 1.2 + 1
    shown = (size[0] // 3, size[1] // 3)
    values, seen = placement.spread(map_, shown)
    assert values.shape == seen.shape == shown[::-1]
    top = torch.where(seen, values, -1).argmax()
    assert abs(int(top % shown[0]) * 3 - spot[0]) <= (x1 - x0) / columns + 3
    assert abs(int(top // shown[0]) * 3 - spot[1]) <= (y1 - y0) / rows + 3


def test_what_a_crop_leaves_out_is_not_seen() -> None:
    placement = Placement.of(Preprocessing((64, 64)), (300, 100), (8, 8))
    _, seen = placement.spread(torch.rand(8, 8), (300, 100))
    assert seen[:, :99].sum() == 0
    assert seen[:, 101:199].all()
    assert seen[:, 201:].sum() == 0
    _, seen = Placement.of(Preprocessing((64, 64), resize="pad"), (300, 100), (8, 8)).spread(
        torch.rand(8, 8), (300, 100)
    )
    assert seen.all()


def test_a_margin_without_patches_is_not_seen() -> None:
    placement = Placement.of(Preprocessing((38, 38), resize="squash"), (380, 380), (2, 2))
    assert placement.window == (0.0, 0.0, 380.0, 380.0)
    placement = Placement.of(Preprocessing((39, 39), resize="squash"), (390, 390), (2, 2))
    assert placement.window == pytest.approx((0.0, 0.0, 380.0, 380.0))
