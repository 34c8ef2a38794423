"""Boxes in pixels of the picture as one sees it, through rotation, reduced decoding and resizing.

The encoder's patches are mean colours, so a region's feature tells what the box covers.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from clipfg.data.images.decoding import decode
from clipfg.embedding.pipeline import collect
from clipfg.encoders.base import Encoder, ImageFeatures
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.types import Manifest

COLOURS = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}
BACKGROUND = (90, 90, 90)
TURNS = {  # from the picture as one sees it to how it is stored
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
PREPROCESSINGS = {
    "crop": Preprocessing((64, 64)),
    "crop from larger": Preprocessing((64, 64), shortest=72),
    "pad": Preprocessing((64, 64), resize="pad"),
    "squash": Preprocessing((64, 64), resize="squash"),
    "squash to a portrait": Preprocessing((96, 64), resize="squash"),
}


class MeanColours(Encoder):
    """Patches of 8 x 8 pixels: red, green, blue."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        self.name = "test:colours"
        self.precision = "fp32"
        self.device = torch.device("cpu")
        self.preprocessing = preprocessing
        self.dim = 3
        self.context_length = 77

    fingerprint = "colours"
    model = nn.Identity()
    logit_scale = 1.0

    def encode_images(self, pixels: Tensor, *, patches: bool = False) -> ImageFeatures:
        cells = nn.functional.avg_pool2d(pixels.float(), 8).flatten(2).transpose(1, 2)
        return ImageFeatures(cells.mean(1), cells if patches else None)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        raise NotImplementedError

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        raise NotImplementedError


def boxes_in(width: int, height: int) -> dict[str, list[float]]:
    """Around the middle, where every preprocessing sees them, and on both sides of it."""
    shares = {
        "red": (0.3, 0.3, 0.5, 0.5),
        "green": (0.5, 0.3, 0.7, 0.5),
        "blue": (0.3, 0.5, 0.5, 0.7),
    }
    sides = (width, height, width, height)
    return {k: [s * side for s, side in zip(v, sides, strict=True)] for k, v in shares.items()}


def picture(path: Path, width: int, height: int, orientation: int) -> dict[str, list[float]]:
    """A JPEG whose EXIF data says how to turn it; the boxes of its colours when it is upright."""
    image = Image.new("RGB", (width, height), BACKGROUND)
    boxes = boxes_in(width, height)
    for colour, box in boxes.items():
        image.paste(COLOURS[colour], tuple(map(round, box)))
    if (turn := TURNS[orientation]) is not None:
        image = image.transpose(turn)
    exif = Image.Exif()
    exif[274] = orientation
    image.save(path, quality=95, exif=exif)
    return boxes


def regions_of(path: Path, boxes: Sequence[Sequence[float]], how: str) -> np.ndarray:
    cells = [[{"box": list(box), "phrase": None} for box in boxes]]
    manifest = Manifest.build("m", {"uri": [str(path)], "regions": cells})
    return collect(manifest, MeanColours(PREPROCESSINGS[how]), None, dense=["regions"]).regions[0]


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("how", PREPROCESSINGS)
def test_a_box_shows_its_own_colour(tmp_path: Path, how: str, orientation: int) -> None:
    boxes = picture(tmp_path / "p.jpg", 1200, 900, orientation)
    regions = regions_of(tmp_path / "p.jpg", list(boxes.values()), how)
    unit = np.array([COLOURS[colour] for colour in boxes], dtype=np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    cosines = regions @ unit.T
    assert cosines.argmax(axis=1).tolist() == [0, 1, 2]
    assert cosines.diagonal().min() > 0.9, cosines


def test_these_pictures_are_decoded_at_reduced_size(tmp_path: Path) -> None:
    picture(tmp_path / "p.jpg", 1200, 900, 6)
    image = decode((tmp_path / "p.jpg").read_bytes(), PREPROCESSINGS["crop"].target)
    assert "drafted" in image.info
    assert image.width < 600


def test_what_the_crop_leaves_out_has_no_feature(tmp_path: Path) -> None:
    picture(tmp_path / "p.jpg", 1600, 400, 1)
    outside = [[0, 0, 300, 400], [1300, 0, 1600, 400]]
    regions = regions_of(tmp_path / "p.jpg", [*outside, [700, 100, 900, 300]], "crop")
    assert np.abs(regions).max(axis=1).tolist()[:2] == [0, 0]
    assert np.linalg.norm(regions[2]) == pytest.approx(1, abs=1e-5)
    padded = regions_of(tmp_path / "p.jpg", outside, "pad")
    assert np.linalg.norm(padded, axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_a_margin_that_lies_under_no_patch_moves_no_box() -> None:
    """Four patches of 8 pixels in 35: a box on one of them is that one."""
    encoder = MeanColours(Preprocessing((35, 35)))
    pixels = torch.randint(0, 256, (1, 3, 35, 35), dtype=torch.uint8)
    boxes = torch.tensor([[24.0, 16, 32, 24], [32, 0, 35, 35], [24, 16, 35, 24]])
    (found,) = encoder.encode_regions(pixels, [boxes])
    patch = pixels[0, :, 16:24, 24:32].float().mean(dim=(1, 2))
    torch.testing.assert_close(found, torch.stack([patch, torch.zeros(3), patch]))
