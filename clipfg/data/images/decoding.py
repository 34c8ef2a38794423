"""From the bytes of any image to upright, opaque 8-bit RGB.

Large JPEGs are decoded at a half, a quarter or an eighth of their size where the image will be
shrunk anyway: libjpeg then skips most of the inverse transform.
"""

import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageChops, JpegImagePlugin, UnidentifiedImageError

from clipfg.data.images.deep import check_planes, is_cut, is_deep, scaled_colours, scaled_grey
from clipfg.data.images.photo_kinds import HEIF, RAW
from clipfg.data.images.photos import (
    ORIENTATION,
    develop,
    is_heif,
    is_raw,
    open_heif,
    photo_size,
)
from clipfg.errors import ItemError
from clipfg.memory import MemoryBudget, machine_memory

Target = Callable[[int, int], tuple[int, int]]
"""From an image's width and height to the width and height that it will be resized to."""

Box = tuple[float, float, float, float]

GAP = 2
"""A reduced image keeps at least this many times the target on both sides (docs/data.md)."""

LARGEST = 178_956_970
"""Most pixels that are decoded: half a gigabyte of RGB, Pillow's own limit for a bomb."""

LARGEST_REDUCED = 4 * LARGEST
"""Most pixels of a JPEG that reduced decoding brings under `LARGEST`."""

MEMORY = MemoryBudget(machine_memory() // 2)
"""What all threads together may use for images while they are decoded and resized."""

DECODING = {"WEBP": 12, "AVIF": 8, "JPEG2000": 16, "TIFF": 8}
"""Bytes a pixel that a decoder takes beside the image itself, by format; others take fewer than
`DECODING_OTHER`. Measured as peaks of the process (tests/data/images/test_decoding_memory.py)."""
DECODING_OTHER = 4
COEFFICIENTS = 8
"""Bytes a pixel of the full size that a progressive JPEG takes, with four channels."""
PIXEL = 4
"""Bytes of a pixel in Pillow's memory, three channels too."""
TRANSPARENT, DEEP = 9, 16
"""Bytes a pixel of the copies that compositing takes, and scaling of more than 8 bits."""

STRIP = 32
"""A strip longer than this times its width, enlarged beyond `LARGEST_STRIP`, is cut."""

LARGEST_STRIP = 1 << 23
"""Pixels of a resized strip beyond which its ends are dropped."""

FORMATS = (
    *("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "DIB"),
    *("ICO", "TGA", "PCX", "SGI", "QOI"),
)
"""Formats that are opened: raster only. PostScript and the like would start programs."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation to the transpose that sets the image upright (EXIF 2.32, tag 274)."""


def decode(data: bytes, target: Target | None = None, *, cut: bool = True) -> Image.Image:
    """The image in `data`: 8-bit RGB, upright, the first frame of an animation.

    Transparency is composited on white, as on a web page: the values under transparent pixels are
    arbitrary, often black. Images of more than 8 bits are scaled by the range of the fewest bits of
    `deep.DEPTHS` that hold their values, since sensors of 12 bits write files of 16; floats by 1 or
    255 if they stay within those, else by their own range. CMYK becomes RGB by the plain
    formula; colour profiles are not applied.

    `data` is a whole file of any of `FORMATS`, HEIC or RAW (see `photos`), `target` the size that
    the image will be resized to next. With it, a JPEG is decoded at a reduced size of at least
    `GAP` times the target on both sides, and a strip that would be enlarged to hundreds of
    megabytes loses its far ends, which a centre crop drops anyway, unless `cut` is false.

    A reduced image has in `info["drafted"]` the size of the full image, and the box of its own
    pixels that the full image covers (a side of 999 pixels covers 124.875 of 125). A cut strip has
    its former size in `info["whole"]`. One of fewer bits than its file has those in `info["bits"]`.

    Raises `ItemError` for data that are empty, truncated, broken, no image or too large for the
    machine's memory. Safe to call from many threads; the decoding itself runs without Python's
    lock, and threads wait for one another where their images would not fit into `MEMORY`.
    """
    with decoded(data, target, cut=cut) as image:
        return image


@contextmanager
def decoded(
    data: bytes, target: Target | None = None, *, cut: bool = True
) -> Iterator[Image.Image]:
    """As `decode`, with the image's share of `MEMORY` kept until the block ends."""
    with ExitStack() as room:
        yield _decode(data, target, cut, room)


def _decode(data: bytes, target: Target | None, cut: bool, room: ExitStack) -> Image.Image:
    if not data:
        raise ItemError("Expected an image, got an empty file.")
    hush()
    try:
        image = _read(data, target, room)
        return _cut_strip(image, target) if target and cut else image
    except ItemError:
        raise
    except UnidentifiedImageError:
        raise ItemError(_not_an_image(data)) from None
    except Image.DecompressionBombError:
        raise ItemError(f"Expected an image of at most {LARGEST:,} pixels, got more.") from None
    except Exception as error:  # Pillow's parsers raise a dozen kinds on hostile bytes
        why = str(error).strip().rstrip(".") or type(error).__name__
        raise ItemError(f"Image is truncated or corrupt ({why}).") from None


def upright_size(file: Path | BytesIO) -> tuple[int, int]:
    """Width and height of the image in a file, read from its header and set upright.

    Raises `ItemError` as `decode` does.
    """
    hush()
    try:
        if isinstance(file, BytesIO) or file.suffix.lower() in HEIF | RAW:
            data = file.getvalue() if isinstance(file, BytesIO) else file.read_bytes()
            if found := photo_size(data, LARGEST):
                return found[:2] if found[2] < 5 else (found[1], found[0])
        with Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            return (height, width) if orientation(image) >= 5 else (width, height)
    except Exception as error:  # as in `decode`
        raise ItemError(f"Expected an image, got another file ({error}).") from None


def full_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of the upright image that `decode` made this one from."""
    width, height = image.info.get("drafted", [image.info.get("whole", image.size)])[0]
    return width, height


def _read(data: bytes, target: Target | None, room: ExitStack) -> Image.Image:
    if data[:3] == b"\xff\xd8\xff":
        return _decode_jpeg(data, target, room)
    if is_heif(data):
        with open_heif(data) as image:
            _check_size(image.size)
            room.enter_context(MEMORY.room(_bytes_needed(image, 1)))
            return _to_rgb(image)
    if is_raw(data):
        shown, turn = develop(data, LARGEST)
        if isinstance(shown, bytes):
            return _decode_jpeg(shown, target, room, turn)
        room.enter_context(MEMORY.room(_bytes_needed(shown, turn)))
        return _upright(shown, turn)
    return _decode_other(data, room)


def _decode_jpeg(
    data: bytes, target: Target | None, room: ExitStack, turn: int | None = None
) -> Image.Image:
    # The plug-in is called directly: `Image.open` would refuse a size that `draft` brings down,
    # and only the first image of a multi-image file is wanted.
    image: Image.Image = JpegImagePlugin.JpegImageFile(BytesIO(data))
    turn = orientation(image) if turn is None else turn
    full, fills = image.size, None
    if target is not None:
        swap = turn >= 5
        wanted = target(*(full[::-1] if swap else full))
        width, height = wanted[::-1] if swap else wanted
        draft = image.draft(None, (max(1, GAP * width), max(1, GAP * height)))
        fills = draft[1] if draft and image.size != full else None
    # A progressive file keeps every coefficient in memory, whatever the output size.
    progressive = "progressive" in image.info
    _check_size(full, LARGEST if progressive else LARGEST_REDUCED)
    _check_size(image.size)
    size = math.prod(full) * COEFFICIENTS if progressive else 0
    room.enter_context(MEMORY.room(size + _bytes_needed(image, turn)))
    image.load()
    if image.mode == "CMYK" and "adobe" not in image.info:
        image = ImageChops.invert(image)  # Pillow inverts every CMYK JPEG, as Adobe's need
    upright = _upright(_to_rgb(image), turn)
    if fills:
        box = _turn_box(fills, image.size, turn)
        upright.info["drafted"] = full[::-1] if turn >= 5 else full, box
    return upright


def _turn_box(box: Box, size: tuple[int, int], turn: int) -> Box:
    """A box in a stored image of `size`, in the upright image."""
    left, top, right, bottom = box
    if turn in {2, 3, 7, 8}:  # the stored columns run backwards
        left, right = size[0] - right, size[0] - left
    if turn in {3, 4, 6, 7}:  # the stored rows do
        top, bottom = size[1] - bottom, size[1] - top
    return (left, top, right, bottom) if turn < 5 else (top, left, bottom, right)


def _decode_other(data: bytes, room: ExitStack) -> Image.Image:
    with Image.open(BytesIO(data), formats=FORMATS) as image:
        _check_size(image.size)
        check_planes(image)
        room.enter_context(MEMORY.room(_bytes_needed(image, orientation(image))))
        cut = is_cut(image)
        image.load()
        whole = scaled_colours(image, data) if cut else image
        # Read after loading: TIFF and AVIF rotate themselves and then drop the tag.
        return _upright(_to_rgb(whole), orientation(image))


def _bytes_needed(image: Image.Image, turn: int) -> int:
    """The most bytes that the copies of an image take from its file to upright RGB."""
    each = PIXEL + DECODING.get(image.format or "", DECODING_OTHER)
    each += TRANSPARENT * image.has_transparency_data + DEEP * is_deep(image)
    return image.width * image.height * (each + PIXEL * (turn in UPRIGHT))


def _check_size(size: tuple[int, int], most: int = LARGEST) -> None:
    width, height = size
    if width * height > most:
        raise ItemError(
            f"Expected an image of at most {most:,} pixels, got {width} x {height};"
            " shrink it first."
        )


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of an image that is not loaded yet, 1 where it has none."""
    if not image.info.keys() & {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}:
        return 1
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken metadata is no reason to lose the image
        return 1


def _upright(image: Image.Image, turn: int) -> Image.Image:
    return image.transpose(UPRIGHT[turn]) if turn in UPRIGHT else image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        paper = Image.new("RGB", image.size, "white")
        paper.paste(layer, mask=layer.getchannel("A"))
        paper.info |= {"bits": image.info["bits"]} if "bits" in image.info else {}
        return paper
    if is_deep(image):
        image = scaled_grey(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _cut_strip(image: Image.Image, target: Target) -> Image.Image:
    """The middle of a strip that would need gigabytes when resized, else the image itself."""
    width, height = image.size
    wide, high = target(width, height)
    if wide * high <= LARGEST_STRIP or max(wide, high) <= STRIP * min(wide, high):
        return image
    x, y = max(0, (width - STRIP * height) // 2), max(0, (height - STRIP * width) // 2)
    middle = image.crop((x, y, width - x, height - y))
    middle.info["whole"] = image.size
    return middle


def _not_an_image(data: bytes) -> str:
    head = data[:64]
    if head.lstrip()[:1] == b"<":
        return "Expected an image, got markup (HTML or SVG)."
    if head.isascii() and b"\0" not in head:
        return "Expected an image, got text."
    return "Expected an image, got a file in no known image format."


# Pillow warns about odd metadata and large sizes. `warnings.catch_warnings` is not thread-safe, so
# one narrow filter is kept in front of all others instead.
_FILTER_LOCK = threading.Lock()


def hush() -> None:
    """Silence Pillow's warnings on odd files, once, for all threads."""
    first = warnings.filters[0] if warnings.filters else None
    if first is not None and first[0] == "ignore" and getattr(first[3], "pattern", "") == r"PIL\.":
        return
    with _FILTER_LOCK:
        warnings.filterwarnings("ignore", module=r"PIL\.")
