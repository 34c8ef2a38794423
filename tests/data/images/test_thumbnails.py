import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipfg.data.images.thumbnails import thumbnail
from clipfg.errors import ItemError


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    assert image.format == "JPEG"
    return image


@pytest.mark.parametrize(("size", "small"), [((1000, 500), (192, 96)), ((40, 30), (40, 30))])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_the_longer_side_is_bounded_and_never_enlarged(tmp_path: Path, size, small, suffix) -> None:
    path = tmp_path / f"image.{suffix}"
    Image.new("RGB", size, (200, 30, 30)).save(path)
    image = opened(thumbnail(str(path)))
    assert image.size == small
    assert np.abs(np.asarray(image)[0, 0].astype(int) - (200, 30, 30)).max() < 8


def test_a_turned_photo_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 200), "blue").save(tmp_path / "turned.jpg", exif=exif)
    assert opened(thumbnail(str(tmp_path / "turned.jpg"), side=100)).size == (50, 100)


def test_drawn_images_have_thumbnails_too() -> None:
    from clipfg.data import synthflora

    assert max(opened(thumbnail(synthflora.load().uris[0])).size) <= 192


def test_what_is_no_image_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_text("no image")
    with pytest.raises(ItemError, match="Expected an image"):
        thumbnail(str(tmp_path / "x.jpg"))
