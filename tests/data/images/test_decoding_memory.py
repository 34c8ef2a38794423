"""What decoding takes from memory, against the process's own peak."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipfg.data.images import decoding
from clipfg.data.images.decoding import decode, decoded
from clipfg.errors import ItemError
from clipfg.memory import MemoryBudget
from tests.data.images.deep_files import png
from tests.hostile import encode, exif

SIDE = 1500
KINDS = {
    "png": ("RGB", "PNG", {}),
    "png-alpha": ("RGBA", "PNG", {}),
    "png-palette": ("P", "PNG", {"transparency": 0}),
    "png-16": ("I;16", "PNG", {}),
    "png-16-colours": ("RGBA", None, {}),
    "turned": ("RGB", "PNG", {"exif": exif(6)}),
    "webp": ("RGB", "WEBP", {"lossless": True, "method": 0}),
    "webp-alpha": ("RGBA", "WEBP", {"lossless": True, "method": 0}),
    "tiff-float": ("F", "TIFF", {}),
    "tiff-one-strip": ("RGB", "TIFF", {"compression": "tiff_lzw", "tiffinfo": {278: SIDE}}),
    "jpeg": ("RGB", "JPEG", {}),
    "jpeg-progressive": ("RGB", "JPEG", {"progressive": True, "subsampling": 0}),
    "jpeg-cmyk": ("CMYK", "JPEG", {}),
    "jpeg-2000": ("RGB", "JPEG2000", {}),
    "gif": ("P", "GIF", {"transparency": 0}),
}


def memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(field))


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_image_takes_more_than_its_share(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode, form, options = KINDS[kind]
    colour = (9, 8, 7, 99) if mode == "RGBA" else 0
    deep = np.full((SIDE, SIDE, 4), 999)
    data = encode(Image.new(mode, (SIDE, SIDE), colour), form, **options) if form else png(deep)
    del deep
    budget = MemoryBudget(1 << 30)
    monkeypatch.setattr(decoding, "MEMORY", budget)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = memory("VmRSS")
    with decoded(data) as image:
        taken = memory("VmHWM") - before
        assert image.size == (SIDE, SIDE)
        assert taken <= budget.used + 2 * SIDE**2
        assert budget.used <= 33 * SIDE**2
    assert budget.used == 0


@pytest.mark.parametrize(
    ("mode", "form", "each"),
    [("RGB", "PNG", 8), ("RGBA", "PNG", 17), ("I;16", "PNG", 24), ("RGBA", "WEBP", 25)],
)
def test_copies_alpha_and_depth_count(
    mode: str, form: str, each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode(Image.new(mode, (100, 100)), form, **({"lossless": True} if each == 25 else {}))
    monkeypatch.setattr(decoding, "MEMORY", MemoryBudget(each * 10_000))
    assert decode(data).size == (100, 100)
    monkeypatch.setattr(decoding, "MEMORY", MemoryBudget(each * 10_000 - 1))
    with pytest.raises(ItemError, match=r"machine's memory.*shrink it first"):
        decode(data)


def test_a_reduced_jpeg_takes_what_is_left_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MEMORY", MemoryBudget(8 * 200 * 200))
    data = encode(Image.new("RGB", (1600, 1600)), "JPEG")
    assert decode(data, lambda w, h: (100, 100)).size == (200, 200)
    with pytest.raises(ItemError, match="machine's memory"):
        decode(data)
