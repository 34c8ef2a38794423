"""Pictures as phones and cameras write them: HEIC and RAW, by the libraries of an extra.

A RAW file holds a picture that the camera has developed, which is what people see of it. That
preview is read; where it is a thumbnail or missing, as phones have it, the file is developed.
"""

import struct
from io import BytesIO
from typing import Any

from PIL import Image

from clipfg.data.images.photo_kinds import INSTALL
from clipfg.errors import ItemError

SMALLEST_PREVIEW = 640
"""The longer side from which a preview is a picture; below that it is a thumbnail for menus."""

ORIENTATION = 0x0112
FROM_FLIP = (1, 2, 4, 3, 5, 8, 6, 7)
"""LibRaw's `flip` (bits: mirror columns, mirror rows, transpose) as an EXIF orientation."""

_HEVC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_MAGICS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0")
_MAKE, _SUBFILE, _PARTS, _COMPRESSION, _DNG = 271, 254, 330, 259, 50706
_CAMERA_COMPRESSIONS = frozenset({32767, 32769, 32770, 34713, 65535})
"""Of TIFF files whose first picture is the sensor's: Sony, Nikon, Samsung and Pentax have these."""


def is_heif(data: bytes) -> bool:
    """Whether a file is HEIF with pictures in HEVC; AVIF is another thing in the same box."""
    if data[4:8] != b"ftyp":
        return False
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    return any(brands[at : at + 4] in _HEVC for at in range(0, len(brands), 4))


def is_raw(data: bytes) -> bool:
    """Whether a file is a camera's: most are TIFFs whose first picture is a thumbnail."""
    if data.startswith(_MAGICS) or data[4:12] == b"ftypcrx ":
        return True
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return False
    tags = _first_tags(data)
    return (
        data[8:10] == b"CR"
        or _DNG in tags
        or tags.get(_COMPRESSION) in _CAMERA_COMPRESSIONS
        or (tags.get(_SUBFILE) == 1 and {_MAKE, _PARTS} <= tags.keys())
    )


def _first_tags(data: bytes) -> dict[int, int]:
    """The tags of a TIFF's first directory, each with its first value where that is a number."""
    order = "<" if data[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        found = {}
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", data, at)
            (found[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at + 8)
    except struct.error:
        return {}
    return found


def open_heif(data: bytes) -> Image.Image:
    """A HEIC picture that is not loaded yet; upright, as libheif turns it. Raises `ItemError`."""
    try:
        from pillow_heif.as_plugin import HeifImageFile
    except ImportError:
        raise ItemError(f"Expected the library for HEIC pictures; {INSTALL}.") from None
    image: Image.Image = HeifImageFile(BytesIO(data))
    return image


def develop(data: bytes, largest: int) -> tuple[bytes | Image.Image, int]:
    """The picture in a RAW file, as JPEG or as pixels, and the EXIF orientation that it has.

    Raises `ItemError` without the library, for a damaged file, and for a sensor of more than
    `largest` pixels where there is no preview.
    """
    try:
        import rawpy
    except ImportError:
        raise ItemError(f"Expected the library for RAW pictures; {INSTALL}.") from None
    try:
        return _developed(rawpy, data, largest)
    except rawpy.LibRawError as error:
        why = error.args[0].decode(errors="replace")  # in bytes
        raise ItemError(f"RAW picture is truncated or corrupt ({why}).") from None


def _developed(rawpy: Any, data: bytes, largest: int) -> tuple[bytes | Image.Image, int]:
    with rawpy.imread(BytesIO(data)) as raw:
        sensor = raw.sizes.raw_width, raw.sizes.raw_height
        try:
            preview = raw.extract_thumb()
        except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
            preview = None
        if preview is not None:
            shown, size, turn = _opened(preview, FROM_FLIP[raw.sizes.flip])
            if max(size) >= min(SMALLEST_PREVIEW, *sensor):
                lies = (size[0] < size[1]) == (sensor[0] < sensor[1])
                return shown, turn if lies or turn < 5 else 1  # else it stands upright already
        if sensor[0] * sensor[1] > largest:
            raise ItemError(f"Expected at most {largest:,} pixels, got {sensor[0]} x {sensor[1]}.")
        pixels = raw.postprocess(use_camera_wb=True, half_size=True)
        return Image.fromarray(pixels), 1


def _opened(preview: Any, turn: int) -> tuple[bytes | Image.Image, tuple[int, int], int]:
    """A preview, its size, and its own orientation, or `turn` where it has none."""
    if isinstance(preview.data, bytes):
        with Image.open(BytesIO(preview.data), formats=("JPEG",)) as image:
            return preview.data, image.size, int(image.getexif().get(ORIENTATION, turn))
    pixels = Image.fromarray(preview.data)
    return pixels, pixels.size, turn


def photo_size(data: bytes, largest: int) -> tuple[int, int, int] | None:
    """Width, height and orientation of a HEIC or RAW picture; None for data that are neither."""
    if is_heif(data):
        return (*open_heif(data).size, 1)
    if not is_raw(data):
        return None
    shown, turn = develop(data, largest)
    if isinstance(shown, bytes):
        with Image.open(BytesIO(shown), formats=("JPEG",)) as image:
            return (*image.size, turn)
    return (*shown.size, turn)
