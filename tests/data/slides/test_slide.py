"""Parts of large pictures against the whole array that was written."""

import numpy as np
import pytest
from PIL import Image

from clipfg.data.images.decoding import decode
from clipfg.data.slides.slide import WHOLE, Slide, _decoded, open_slide
from clipfg.data.slides.tiles import Tile, is_blank, tiles_of
from clipfg.data.sources import read, signature, signature_of
from clipfg.errors import ItemError

tifffile = pytest.importorskip("tifffile")


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (150, 210, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "form",
    [{"tile": (32, 48)}, {"rowsperstrip": 16}, {"tile": (64, 64), "compression": "zlib"}],
    ids=str,
)
def test_any_part_is_that_of_the_whole(tmp_path, pixels, form) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", **form)
    slide = Slide(str(path))
    assert slide.levels == [(210, 150)]
    for x, y, wide, high in ((0, 0, 210, 150), (31, 47, 70, 60), (200, 140, 50, 50), (5, 5, 1, 1)):
        expected = pixels[y : y + high, x : x + wide]
        assert np.array_equal(slide.part(0, x, y, wide, high), expected)


@pytest.mark.parametrize("compression", ["lzw", "deflate", "packbits", "zstd", "lzma"])
@pytest.mark.parametrize("predictor", [False, True])
def test_what_is_compressed_without_loss_is_read_as_it_was(
    tmp_path, pixels, compression, predictor
) -> None:
    pytest.importorskip("imagecodecs")
    path = tmp_path / "slide.tif"
    form = {"photometric": "rgb", "tile": (32, 48), "compression": compression}
    tifffile.imwrite(path, pixels, predictor=predictor, **form)
    assert np.array_equal(Slide(str(path)).part(0, 31, 47, 70, 60), pixels[47:107, 31:101])


@pytest.mark.parametrize(
    ("compression", "photometric", "most"),
    [
        ("jpeg", "rgb", 6),
        ("jpeg", "ycbcr", 6),
        ("aperio_jp2000_ycbc", "rgb", 6),
        ("jpeg2000", "rgb", 6),
        ("webp", "rgb", 9),
    ],
)
def test_what_is_compressed_with_loss_is_nearly_as_it_was(
    tmp_path, compression, photometric, most
) -> None:
    pytest.importorskip("imagecodecs")
    ramp = np.linspace(0, 255, 150 * 210 * 3).reshape(150, 210, 3)
    smooth = np.ascontiguousarray(ramp.astype(np.uint8))
    path = tmp_path / "slide.tif"
    form = {"photometric": photometric, "tile": (64, 64), "compression": compression}
    turned = Image.fromarray(smooth).convert("YCbCr" if photometric == "ycbcr" else "RGB")
    tifffile.imwrite(path, np.asarray(turned), **form)
    slide = Slide(str(path))
    assert slide.levels == [(210, 150)]
    cut = slide.part(0, 31, 47, 70, 60).astype(int)
    assert np.abs(cut - smooth[47:107, 31:101]).max() <= most


def test_levels_as_aperio_writes_them(tmp_path) -> None:
    """Pages one after another, a thumbnail in strips after the first, no SubIFD."""
    pytest.importorskip("imagecodecs")
    path = tmp_path / "slide.svs"
    shades = np.linspace(0, 255, 1200 * 1680 * 3).reshape(1200, 1680, 3)
    big = np.ascontiguousarray(shades.astype(np.uint8))
    tiled = {"photometric": "rgb", "tile": (240, 240), "compression": "jpeg", "metadata": None}
    said = "Aperio Image Library v11.2.1\r\n1680x1200 (240x240) JPEG/RGB Q=70|AppMag = 20"
    with tifffile.TiffWriter(path) as writer:
        writer.write(big, description=said, **tiled)
        thumbnail = {"photometric": "rgb", "rowsperstrip": 16, "metadata": None}
        writer.write(big[::4, ::4], description="Aperio Image Library\r\n1680x1200", **thumbnail)
        writer.write(big[::4, ::4], description="Aperio Image Library\r\n1680x1200", **tiled)
    slide = Slide(str(path))
    assert slide.levels == [(1680, 1200), (420, 300)]
    part = slide.part(1, 4, 6, 90, 80).astype(int)
    assert np.abs(part - big[::4, ::4][6:86, 4:94]).max() <= 6


def test_levels_grey_deep_and_plain_pictures(tmp_path, pixels) -> None:
    path = tmp_path / "levels.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(pixels, subifds=1, tile=(32, 32), photometric="rgb")
        writer.write(pixels[::2, ::2], subfiletype=1, tile=(32, 32), photometric="rgb")
    slide = Slide(str(path))
    assert slide.levels == [(210, 150), (105, 75)]
    assert np.array_equal(slide.part(1, 10, 0, 20, 20), pixels[::2, ::2][:20, 10:30])
    with pytest.raises(ItemError, match="a level from 0 to 1"):
        slide.part(2, 0, 0, 8, 8)
    deep = tmp_path / "deep.tif"
    tifffile.imwrite(deep, pixels[..., 0].astype(np.uint16) << 8, tile=(32, 32))
    assert np.array_equal(Slide(str(deep)).part(0, 3, 4, 9, 9)[..., 2], pixels[4:13, 3:12, 0])
    plain = tmp_path / "plain.png"
    Image.fromarray(pixels).save(plain)
    assert np.array_equal(Slide(str(plain)).part(0, 3, 4, 9, 9), pixels[4:13, 3:12])


def test_what_cannot_be_read_in_parts_is_said(tmp_path) -> None:
    path = tmp_path / "channels.tif"
    tifffile.imwrite(path, np.zeros((64, 64, 6), np.uint8), planarconfig="contig")
    with pytest.raises(ItemError, match="channels together"):
        Slide(str(path))
    (tmp_path / "cut.tif").write_bytes(b"II*\0\x08\0\0\0\xff")
    (tmp_path / "start.tif").write_bytes(b"II*\0")
    for name in ("cut.tif", "start.tif"):
        with pytest.raises(ItemError, match="damaged"):
            Slide(str(tmp_path / name))
    with pytest.raises(ItemError, match="Expected a picture at"):
        Slide(str(tmp_path / "none.tif"))


FORMS = {
    "planar": ("RGB", {"planarconfig": "separate"}),
    "white is 0": ("L", {"photometric": "miniswhite"}),
    "palette": ("P", {}),
    "inks": ("CMYK", {}),
    "YCbCr": ("YCbCr", {}),
    "bits": ("1", {}),
    "transparent grey": ("LA", {}),
    "lying": ("RGB", {"extratags": [(274, "H", 1, 6, True)]}),
    "one strip": ("RGB", {"rowsperstrip": 150}),
}


@pytest.mark.parametrize("form", FORMS)
def test_small_pictures_of_other_forms_are_read_whole_as_other_readers_do(
    tmp_path, monkeypatch, pixels, form
) -> None:
    mode, options = FORMS[form]
    path = tmp_path / "small.tif"
    image = Image.fromarray(pixels).convert(mode)
    if options:
        plane = np.moveaxis(pixels, -1, 0).copy() if form == "planar" else np.asarray(image)
        tifffile.imwrite(path, plane, **{"photometric": "rgb"} | options)
    else:
        image.save(path)
    monkeypatch.setattr("clipfg.data.slides.slide.LARGEST_SEGMENT", 1000)
    expected = np.asarray(decode(path.read_bytes()))
    slide = Slide(str(path))
    assert slide.levels == [expected.shape[1::-1]]
    assert np.array_equal(slide.part(0, 31, 47, 70, 60), expected[47:107, 31:101])
    monkeypatch.setattr("clipfg.data.slides.slide.LARGEST", 1000)
    with pytest.raises(ItemError, match="tiled TIFF"):
        Slide(str(path))


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_what_is_transparent_lies_on_white(tmp_path, pixels, kind) -> None:
    path = tmp_path / "clear.tif"
    opacity = np.random.default_rng(1).integers(0, 256, (150, 210, 1), dtype=np.uint8)
    share = opacity / 255
    expected = pixels * share + 255 * (1 - share)
    stored = pixels if kind == "unassalpha" else np.round(pixels * share).astype(np.uint8)
    form = {"photometric": "rgb", "tile": (32, 48), "extrasamples": [kind]}
    tifffile.imwrite(path, np.concatenate([stored, opacity], axis=2), **form)
    assert np.abs(Slide(str(path)).part(0, 0, 0, 210, 150) - expected).max() <= 1


@pytest.mark.parametrize("form", [{"tile": (32, 48)}, {"tile": (32, 48), "compression": "jpeg"}])
def test_a_file_that_is_cut_off_has_no_white_parts(tmp_path, pixels, form) -> None:
    pytest.importorskip("imagecodecs")
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", **form)
    whole = Slide(str(path)).part(0, 0, 0, 48, 32)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    slide = Slide(str(path))
    assert np.array_equal(slide.part(0, 0, 0, 48, 32), whole)
    with pytest.raises(ItemError, match="cut off"):
        slide.part(0, 170, 120, 30, 30)


def test_another_file_at_the_same_place_is_read_anew(tmp_path, pixels) -> None:
    path = tmp_path / "slide.tif"
    for shown in (pixels, pixels[:100, :100]):
        tifffile.imwrite(path, shown, photometric="rgb", tile=(32, 32))
        assert np.array_equal(open_slide(str(path)).part(0, 0, 0, 500, 500), shown)


def test_few_pictures_are_kept_decoded(tmp_path, pixels) -> None:
    _decoded.cache_clear()
    for number in range(5):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        assert open_slide(str(tmp_path / f"{number}.png")).levels == [(210, 150)]
    assert _decoded.cache_info().currsize == WHOLE


def test_tiles_cover_a_picture_and_are_read_by_their_uri(tmp_path, pixels) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(32, 32))
    tiles = tiles_of(str(path), 64, 16, 0)
    seen = np.zeros(pixels.shape[:2], dtype=bool)
    for tile in tiles:
        seen[tile.y : tile.y + 64, tile.x : tile.x + 64] = True
        assert Tile.of(tile.uri) == tile
    assert seen.all()
    assert {tile.x for tile in tiles} == {0, 48, 96, 144, 146}
    header, data = read(tiles[-1].uri).split(b" 255\n", 1)
    assert header == b"P6 64 64"
    assert data == pixels[-64:, -64:].tobytes()
    assert signature(tiles[0].uri) == signature_of(path.stat())
    with pytest.raises(ItemError, match="a URI like tile:"):
        read("tile:nothing")


def test_a_tile_is_looked_at_on_its_own_level_where_the_coarser_is_damaged(
    tmp_path, pixels
) -> None:
    path = tmp_path / "levels.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(pixels, subifds=1, tile=(32, 32), photometric="rgb")
        writer.write(pixels[::2, ::2], subfiletype=1, tile=(32, 32), photometric="rgb")
    tile = tiles_of(str(path), 64, 0, 0)[-1]
    assert tile.look().shape == (32, 32, 3)
    path.write_bytes(path.read_bytes()[:-10])
    assert np.array_equal(tile.look(), pixels[-64:, -64:])


def test_tiles_of_one_colour_are_blank() -> None:
    noise = np.random.default_rng(0).normal(240, 2, (32, 32, 3)).astype(np.uint8)
    assert is_blank(noise, 5.0)
    noise[:8] = 100
    assert not is_blank(noise, 5.0)
    assert not is_blank(noise, 0.0)
