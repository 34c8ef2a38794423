"""Colours of 16 bits, of which Pillow keeps the upper 8: few bits are scaled by those."""

import numpy as np
import pytest

from clipfg.data.images.decoding import decode
from clipfg.errors import ItemError
from tests.data.images.deep_files import png, tiff

FILES = {
    "png": png,
    "tiff": tiff,
    "tiff, big-endian": lambda values: tiff(values, ">"),
    "tiff, packed": lambda values: tiff(values, packed=True),
}


def drawn(bits: int, channels: int = 3) -> np.ndarray:
    values = np.random.default_rng(bits).integers(0, 2**bits, (24, 40, channels))
    values[0, 0, :] = 2**bits - 1
    return values


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_colours_of_few_bits_in_sixteen_are_scaled_by_those(kind: str, bits: int) -> None:
    values = drawn(bits)
    image = decode(FILES[kind](values))
    assert np.abs(np.asarray(image) - values * (255 / (2**bits - 1))).max() <= 1
    assert image.info.get("bits") == (bits if bits < 16 else None)


def test_a_colour_that_is_dark_is_scaled_as_the_others() -> None:
    values = drawn(12)
    values[..., 2] //= 64
    assert np.abs(np.asarray(decode(png(values))) - values * (255 / 4095)).max() <= 0.51


@pytest.mark.parametrize("full", [4095, 65535])
@pytest.mark.parametrize("channels", [2, 4])
def test_transparency_has_bits_of_its_own(channels: int, full: int) -> None:
    values = drawn(12, channels)
    values[..., -1] = full
    values[:8, :, -1] = 0
    image = decode(png(values))
    colours = values[..., :-1] * (255 / 4095)
    assert (np.asarray(image)[:8] == 255).all()
    assert np.abs(np.asarray(image)[8:] - colours[8:]).max() <= 0.51
    assert image.info["bits"] == 12


@pytest.mark.parametrize("packed", [False, True])
def test_planes_that_pillow_misreads_are_refused(packed: bool) -> None:
    with pytest.raises(ItemError, match="a plane of more than 8 bits for each"):
        decode(tiff(drawn(12), packed=packed, planes=True))


def test_packed_planes_of_all_sixteen_bits_are_read() -> None:
    values = drawn(16)
    image = np.asarray(decode(tiff(values, packed=True, planes=True)))
    assert np.abs(image - values / 257).max() <= 1
