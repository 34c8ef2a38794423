"""Decoding against plain arithmetic on what was encoded."""

import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from clipfg.data.images.decoding import GAP, STRIP, decode
from clipfg.data.readers.pictures import read_images
from clipfg.data.sources import read
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.errors import ItemError
from tests.hostile import (
    WIDE,
    bomb,
    deep_grey,
    encode,
    exif,
    make_hostile_folder,
    scene,
    see_through,
    sideways,
)


def array(image: Image.Image) -> np.ndarray:
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def shortest(side: int):
    """Shorter side to `side`, as CLIP's preprocessing does."""

    def target(width: int, height: int) -> tuple[int, int]:
        if width <= height:
            return side, max(side, int(side * height / width))
        return max(side, int(side * width / height)), side

    return target


def pixels(image: Image.Image, side: int) -> np.ndarray:
    return Preprocessing(size=(side, side))(image).numpy().astype(int)


def rings(size: tuple[int, int]) -> Image.Image:
    """Waves around a point off the centre: any shift or turn can be seen."""
    y, x = np.mgrid[: size[1], : size[0]]
    wave = np.sin(np.hypot(x - size[0] * 0.3, y - size[1] * 0.6) / 40)
    return Image.fromarray(np.rint(127 + 120 * wave).astype(np.uint8)).convert("RGB")


LOSSLESS = ["PNG", "BMP", "TIFF", "PPM", "WEBP"]


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_come_back_bit_for_bit(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    assert (array(decode(encode(scene(), kind, **options))) == array(scene())).all()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "JPEG2000"])
def test_lossy_formats_come_back_near(kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    assert np.abs(array(decode(encode(scene(), kind))) - array(scene())).mean() < 3


def test_first_frame_of_an_animation() -> None:
    frames = [scene().quantize(64), Image.new("P", WIDE)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (array(decode(data)) == array(frames[0].convert("RGB"))).all()


def test_first_image_of_a_camera_pair() -> None:
    data = encode(scene(), "MPO", save_all=True, append_images=[Image.new("RGB", WIDE)])
    assert np.abs(array(decode(data)) - array(scene())).mean() < 3


def test_transparent_pixels_are_white_and_half_ones_half_white() -> None:
    layer = np.zeros((2, 3, 4), np.uint8)
    layer[:, 0] = (0, 0, 0, 0)
    layer[:, 1] = (200, 100, 0, 255)
    layer[:, 2] = (0, 0, 0, 128)
    got = array(decode(encode(Image.fromarray(layer), "PNG")))
    assert got[0, 0].tolist() == [255, 255, 255]
    assert got[0, 1].tolist() == [200, 100, 0]
    assert np.abs(got[0, 2] - 127).max() <= 1


def test_transparency_of_a_palette() -> None:
    image = see_through()
    got = array(decode(encode(image, "PNG", transparency=0)))
    holes = np.asarray(image) == 0
    assert holes.any()
    assert (got[holes] == 255).all()
    assert (got[~holes] == array(image.convert("RGB"))[~holes]).all()


def test_transparent_colour_of_an_opaque_mode() -> None:
    data = encode(Image.new("RGB", (4, 4), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
    assert (array(decode(data)) == 255).all()
    data = encode(Image.new("L", (4, 4), 7), "PNG", transparency=7)
    assert (array(decode(data)) == 255).all()


def test_grey_with_alpha() -> None:
    data = encode(Image.new("LA", (4, 4), (0, 51)), "PNG")
    assert np.abs(array(decode(data)) - 204).max() <= 1


def test_deep_grey_is_scaled_not_clipped() -> None:
    got = array(decode(encode(deep_grey(), "PNG")))
    wanted = np.asarray(deep_grey()).astype(float) / 257
    assert np.abs(got - wanted[..., None]).max() <= 0.5


def test_deep_grey_of_tiff_and_pgm() -> None:
    assert array(decode(encode(deep_grey(), "TIFF"))).max() == 255
    head = f"P5 {WIDE[0]} {WIDE[1]} 65535\n".encode()
    data = head + np.asarray(deep_grey()).astype(">u2").tobytes()
    wanted = np.asarray(deep_grey()).astype(float) / 257
    assert np.abs(array(decode(data)) - wanted[..., None]).max() <= 1


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 51.0, 255.0], [0, 51, 255]),
        ([-1.0, 0.0, 3.0], [0, 64, 255]),
        ([0.0, float("nan"), 1.0], [0, 0, 255]),
    ],
)
def test_floats(values: list[float], wanted: list[int]) -> None:
    image = Image.fromarray(np.array([values], np.float32))
    assert array(decode(encode(image, "TIFF")))[0, :, 0].tolist() == wanted


def test_cmyk_both_ways_round() -> None:
    data = encode(scene().convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data
    assert np.abs(array(decode(data)) - array(scene())).mean() < 4
    # The same values stored plainly, with no word of Adobe: libjpeg's own convention.
    inverted = Image.fromarray(255 - np.asarray(scene().convert("CMYK")), "CMYK")
    data = encode(inverted, "JPEG", quality=95)
    start = data.index(b"\xff\xee")
    length = int.from_bytes(data[start + 2 : start + 4], "big")
    plain = data[:start] + data[start + 2 + length :]
    assert np.abs(array(decode(plain)) - array(scene())).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_turns(orientation: int, kind: str) -> None:
    # What the tag means (EXIF 2.32): where row 0 and column 0 of the stored image belong.
    stored = np.asarray(scene())
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: stored[::-1].transpose(1, 0, 2),
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: stored[:, ::-1].transpose(1, 0, 2),
    }[orientation]
    got = array(decode(encode(scene(), kind, exif=exif(orientation), quality=95)))
    assert got.shape == upright.shape
    assert np.abs(got - upright).mean() < 4


def test_reduced_decoding_keeps_the_gap_and_the_image() -> None:
    data = encode(scene((1600, 1200)), "JPEG", quality=95)
    whole = decode(data)
    for side in (32, 75, 100, 149, 150, 151, 300, 301, 600):
        target = shortest(side)
        got = decode(data, target)
        assert min(got.size) >= min(1200, GAP * side)
        assert min(got.size) < 2 * GAP * side or got.size == (200, 150)
        one, other = (pixels(image, side) for image in (got, whole))
        assert np.abs(one - other).max() <= 4


@pytest.mark.parametrize("turn", range(1, 9))
def test_reduced_decoding_moves_nothing(turn: int) -> None:
    # Odd sides: the reduced image has a last row and column that are only partly filled.
    data = encode(rings((1003, 1237)), "JPEG", quality=95, exif=exif(turn))
    got = decode(data, shortest(60))
    assert sorted(got.size) == [126, 155]
    one, other = pixels(got, 60), pixels(decode(data), 60)
    moved = np.roll(other, 1, axis=-1)
    assert np.abs(one - other).mean() < 1
    assert np.abs(one - other).mean() < np.abs(one - moved).mean() / 8


def test_reduced_decoding_of_a_turned_image() -> None:
    # 1200 x 400 upright; a target that squeezes the width alone allows no reduction in height.
    data = sideways(6, (1200, 400))
    assert decode(data, lambda w, h: (300, 100)).size == (600, 200)
    assert decode(data, lambda w, h: (w // 8, h)).size == (1200, 400)
    assert decode(data, lambda w, h: (150, h // 8)).size == (300, 100)


def test_small_jpegs_are_not_touched_by_a_target() -> None:
    data = encode(scene((300, 200)), "JPEG")
    assert (array(decode(data, shortest(224))) == array(decode(data))).all()


@pytest.mark.parametrize("size", [(1, 10_000), (10_000, 1), (3, 60_001), (60_000, 2)])
def test_strips_are_cut_to_the_middle(size: tuple[int, int]) -> None:
    width, height = size
    ramp = np.abs(np.linspace(-1, 1, max(size))) * 255
    pixels = np.broadcast_to(ramp[None, :] if width > height else ramp[:, None], (height, width))
    data = encode(Image.fromarray(pixels.astype(np.uint8)), "PNG")
    got = decode(data, shortest(224))
    assert min(got.size) == min(size)
    assert STRIP <= max(got.size) / min(got.size) <= STRIP + 1
    middle = array(got)
    assert middle.max() < 2 * STRIP  # the dark centre, not the bright ends
    assert decode(data).size == size
    assert decode(data, lambda w, h: (224, 224)).size == size


@pytest.mark.parametrize("size", [(2000, 50), (7000, 230), (100, 900)])
def test_long_images_that_fit_are_left_whole(size: tuple[int, int]) -> None:
    data = encode(Image.new("L", size), "PNG")
    assert decode(data, shortest(224)).size == size


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty file"),
        (b"hello", "got text"),
        (b"<svg xmlns='x'>", "markup"),
        (b"\x00" * 100, "no known image format"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "corrupt"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "got text"),  # never handed to Ghostscript
        (b"\xff\xd8\xff", "corrupt"),
        (bomb(50_000), "178,956,970 pixels"),
        (bomb(14_000), "178,956,970 pixels"),
        (bomb(10_000), "corrupt"),
    ],
)
def test_refusals(data: bytes, words: str) -> None:
    with pytest.raises(ItemError, match=words) as caught:
        decode(data)
    assert "\n" not in str(caught.value)


def huge_jpeg(width: int, height: int, progressive: bool) -> bytes:
    """A small JPEG whose header claims another size."""
    data = bytearray(encode(Image.new("RGB", (16, 16)), "JPEG", progressive=progressive))
    marker = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[marker + 5 : marker + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data)


def test_huge_jpegs() -> None:
    with pytest.raises(ItemError, match="60000 x 60000"):
        decode(huge_jpeg(60_000, 60_000, False), shortest(224))
    with pytest.raises(ItemError, match="20000 x 20000"):
        decode(huge_jpeg(20_000, 20_000, False))
    with pytest.raises(ItemError, match="20000 x 20000"):
        decode(huge_jpeg(20_000, 20_000, True), shortest(224))
    # An eighth of each side is all that is ever in memory.
    assert decode(huge_jpeg(20_000, 20_000, False), shortest(224)).size == (2500, 2500)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"])
def test_every_cut_is_refused_or_harmless(kind: str) -> None:
    data = encode(scene(), kind)
    for cut in np.linspace(0, len(data) - 1, 40).astype(int):
        try:
            assert decode(data[:cut]).size == WIDE
        except ItemError:
            continue
        assert cut > len(data) * 0.9, f"{kind} cut at {cut} of {len(data)} went unnoticed"


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "PPM"]),
    damage=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=12),
)
def test_damage_ends_in_a_image_or_a_sentence(kind: str, damage: list[tuple[float, int]]) -> None:
    data = bytearray(encode(scene((40, 30)), kind))
    for place, value in damage:
        data[int(place * len(data))] = value
    try:
        image = decode(bytes(data), shortest(16))
    except ItemError:
        return
    assert image.mode == "RGB"


def test_no_warning_escapes_even_where_warnings_are_errors() -> None:
    odd = encode(scene(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12garbage")
    large = encode(Image.new("1", (10_000, 9_000)), "PNG")  # beyond Pillow's first limit
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(odd).size == WIDE
        assert decode(large, shortest(8)).size == (10_000, 9_000)


def test_threads_agree() -> None:
    data = [encode(scene((400 + i, 300)), "JPEG") for i in range(16)]
    wanted = [array(decode(d, shortest(64))) for d in data]
    same: list[bool] = []

    def work() -> None:
        for d, w in zip(data, wanted, strict=True):
            same.append(bool((array(decode(d, shortest(64))) == w).all()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(same) == 64
    assert all(same)


def test_hostile_folder(tmp_path: Path) -> None:
    expected = make_hostile_folder(tmp_path / "photos")
    manifest = read_images([tmp_path / "photos"])
    got = {}
    for name, uri in zip(manifest.ids, manifest.uris, strict=True):
        try:
            decode(read(uri), shortest(224))
            got[name] = True
        except ItemError:
            got[name] = False
    assert got == expected


@pytest.mark.shared
def test_real_photographs_survive_reduction(shared: Path) -> None:
    files = sorted((shared / "data/CUB_200_2011/images").rglob("*.jpg"))[::10]
    assert len(files) == 30
    squares = []
    for file in files:
        side = 80  # small enough that images of 500 x 375 are halved
        full, got = decode(file.read_bytes()), decode(file.read_bytes(), shortest(side))
        if got.size != full.size:  # else too narrow to be halved
            squares.append(((pixels(full, side) - pixels(got, side)) ** 2).mean())
    psnr = 10 * np.log10(255**2 / np.array(squares))
    assert len(psnr) > 20
    assert np.median(psnr) > 40


@pytest.mark.parametrize(("bits", "kind"), [(12, "PNG"), (10, "TIFF"), (14, "PNG"), (16, "PNG")])
def test_few_bits_in_sixteen_are_scaled_by_those(bits, kind) -> None:
    ramp = np.linspace(0, 2**bits - 1, 64).astype(np.uint16)
    image = decode(encode(Image.fromarray(np.tile(ramp, (8, 1))), kind))
    assert np.abs(array(image)[0, :, 0] - np.linspace(0, 255, 64)).max() <= 1
    assert image.info.get("bits") == (bits if bits < 16 else None)


def test_a_black_image_of_sixteen_bits_stays_black() -> None:
    assert array(decode(encode(Image.fromarray(np.zeros((4, 4), np.uint16)), "PNG"))).max() == 0
