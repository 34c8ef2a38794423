import io

import pytest
from PIL import Image

from clipfg.errors import DataError
from clipfg.pages.gallery import Tile, TileGroup, render_gallery

HOSTILE = "<script>alert(1)</script>"


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, format="JPEG")
    return buffer.getvalue()


def test_images_and_words_are_in_the_page_itself() -> None:
    tiles = (Tile(jpeg(), "robin", ("0.91", "photos/1.jpg"), "good"), Tile(None, "gone", (), "bad"))
    page = render_gallery("robin", "2 of 10 images", [TileGroup("hits", tiles, "nearest first")])
    assert page.count("data:image/jpeg;base64,") == 1
    assert '<figure class="good">' in page
    assert '<figure class="bad"><div class="gap">' in page
    for words in ("2 of 10 images", "nearest first", "0.91", "photos/1.jpg"):
        assert words in page


def test_all_text_is_escaped_and_nothing_is_loaded() -> None:
    tile = Tile(jpeg(), HOSTILE, (HOSTILE,))
    facts = [(HOSTILE, HOSTILE)]
    page = render_gallery(
        HOSTILE, HOSTILE, [TileGroup(HOSTILE, (tile,), HOSTILE)], facts=facts, notes=[HOSTILE]
    )
    assert "<script" not in page
    assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")


def test_other_bytes_are_no_image() -> None:
    with pytest.raises(DataError, match="JPEG, PNG or WebP"):
        render_gallery("x", "", [TileGroup("x", (Tile(b"GIF89a", "x"),))])
