"""HEIC and RAW: what people see of them, upright once, and never a crash."""

import sys
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipfg.data.images import decoding, photos
from clipfg.data.images.decoding import decode, full_size, upright_size
from clipfg.data.images.headers import picture_sizes
from clipfg.errors import ItemError
from tests.data.images.cameras import dng, heic

STORED = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
"""What a camera that is turned stores of the upright scene."""


def scene(width: int = 96, height: int = 64) -> Image.Image:
    """Red above left, green above right, blue below."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2, 0] = 250
    pixels[: height // 2, width // 2 :, 1] = 250
    pixels[height // 2 :, :, 2] = 250
    return Image.fromarray(pixels)


def check(image: Image.Image) -> None:
    """Whether an image of the scene stands upright."""
    w, h = image.size
    places = (w // 8, h // 8), (w - w // 8, h // 8), (w // 2, h - h // 8)
    corners = [image.getpixel(place) for place in places]
    for place, corner in enumerate(corners):
        assert isinstance(corner, tuple)
        assert int(np.argmax(corner)) == place, corners


def jpeg(image: Image.Image, orientation: int | None = None) -> bytes:
    out, exif = BytesIO(), Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    image.save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_heic_stands_upright_once(orientation: int, tmp_path: Path) -> None:
    """The file says how it is turned twice: in its container, and in EXIF."""
    stored = scene()
    if orientation != 1:
        stored = stored.transpose(STORED[orientation])
    data = heic(stored, orientation)
    assert photos.is_heif(data)
    image = decode(data)
    assert image.mode == "RGB"
    assert image.size == (96, 64)
    check(image)
    (tmp_path / "x.HEIC").write_bytes(data)
    assert upright_size(tmp_path / "x.HEIC") == upright_size(BytesIO(data)) == (96, 64)
    assert picture_sizes([str(tmp_path / "x.HEIC")]).upright.tolist() == [[96, 64]]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("kind", ["pixels", "jpeg", "jpeg with a tag"])
def test_the_preview_of_a_raw_stands_upright_once(
    orientation: int, kind: str, tmp_path: Path
) -> None:
    stored = scene() if orientation == 1 else scene().transpose(STORED[orientation])
    sensor = stored.size
    preview: Image.Image | bytes = stored
    if kind != "pixels":
        preview = jpeg(stored, orientation if kind == "jpeg with a tag" else None)
    data = dng(preview, orientation, sensor)
    assert photos.is_raw(data)
    image = decode(data)
    assert image.size == (96, 64)
    check(image)
    (tmp_path / "x.dng").write_bytes(data)
    sizes = picture_sizes([str(tmp_path / "x.dng")])
    assert sizes.upright.tolist() == [[96, 64]]
    assert upright_size(tmp_path / "x.dng") == (96, 64)


def test_a_preview_that_stands_upright_already_is_not_turned() -> None:
    image = decode(dng(scene(64, 96), 6, (96, 64)))
    assert image.size == (64, 96)
    check(image)


def test_a_large_preview_is_reduced_and_says_so() -> None:
    data = dng(jpeg(scene(1600, 1200)), 1)
    image = decode(data, lambda width, height: (100, 75))
    assert image.size == (200, 150)
    assert full_size(image) == (1600, 1200)
    check(image)


def test_a_thumbnail_for_menus_is_no_picture() -> None:
    """Phones write one of 256 pixels; the file is developed instead, in grey, and turned."""
    data = dng(scene(60, 40), 6, (1400, 1000))
    image = decode(data)
    assert image.size == (500, 700)
    assert np.ptp(np.asarray(image).mean(axis=(0, 1))) < 60  # no channel stands out as in the scene
    assert np.asarray(image).mean() > 20


def test_a_plain_tiff_is_no_raw() -> None:
    out = BytesIO()
    scene().save(out, "TIFF")
    assert not photos.is_raw(out.getvalue())
    check(decode(out.getvalue()))


def test_what_is_damaged_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = heic(scene()), dng(scene(), 6)
    for data in whole:
        for end in (13, 40, 200, len(data) // 2, len(data) - 2000):
            with suppress(ItemError):  # what can still be seen of it may be seen
                decode(data[:end])
    with pytest.raises(ItemError, match="corrupt"):
        decode(whole[0][: len(whole[0]) // 2])
    with pytest.raises(ItemError, match="corrupt"):
        decode(b"FUJIFILMCCD-RAW " + bytes(400))
    with pytest.raises(ItemError, match="at most 1,000 pixels, got 96 x 64"):
        photos.develop(dng(None, 1), 1000)
    monkeypatch.setattr(decoding._check_size, "__defaults__", (1000,))
    with pytest.raises(ItemError, match="at most 1,000 pixels, got 96 x 64"):
        decode(whole[0])


def test_without_the_libraries_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = heic(scene()), dng(scene(), 1)
    monkeypatch.setitem(sys.modules, "pillow_heif.as_plugin", None)
    monkeypatch.setitem(sys.modules, "rawpy", None)
    for one in data:
        with pytest.raises(ItemError, match=r'pip install "clipfg\[photos\]"'):
            decode(one)


def test_a_raw_without_a_preview_is_developed() -> None:
    assert decode(dng(None, 8)).size == (32, 48)
