"""Files as phones and cameras write them, made from pictures: HEIC, and a minimal DNG."""

import struct
from io import BytesIO

import numpy as np
import pillow_heif
from PIL import Image


def heic(image: Image.Image, orientation: int = 1) -> bytes:
    """A HEIC file of an upright picture; turned within the file as EXIF would have it."""
    out, exif = BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    pillow_heif.from_pillow(image).save(out, quality=95, exif=exif.tobytes())
    return out.getvalue()


Size = tuple[int, int]


def dng(preview: Image.Image | bytes | None, orientation: int, sensor: Size = (96, 64)) -> bytes:
    """A DNG with grey noise on the sensor; its preview is JPEG (`bytes`), plain pixels or none."""
    width, height = sensor
    raw = np.random.default_rng(0).integers(1000, 3000, height * width, dtype="<u2").tobytes()
    shown, size, coded = b"", (0, 0), 1
    if isinstance(preview, bytes):
        shown, size, coded = preview, Image.open(BytesIO(preview)).size, 7
    elif preview is not None:
        shown, size = preview.tobytes(), preview.size
    first = {
        254: (4, [1]),
        256: (4, [size[0]]),
        257: (4, [size[1]]),
        258: (3, [8, 8, 8]),
        259: (3, [coded]),
        262: (3, [6 if coded == 7 else 2]),
        271: (2, list(b"Maker\0")),
        272: (2, list(b"Model\0")),
        273: (4, [0]),
        274: (3, [orientation]),
        277: (3, [3]),
        278: (4, [size[1]]),
        279: (4, [len(shown)]),
        330: (4, [0]),
        50706: (1, [1, 4, 0, 0]),
        50708: (2, list(b"Maker Model\0")),
        50721: (10, [n for i in range(9) for n in (int(i % 4 == 0), 1)]),
        50778: (3, [21]),
    }
    second = {
        254: (4, [0]),
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [16]),
        259: (3, [1]),
        262: (3, [32803]),
        273: (4, [0]),
        277: (3, [1]),
        278: (4, [height]),
        279: (4, [len(raw)]),
        33421: (3, [2, 2]),
        33422: (1, [0, 1, 1, 2]),
        50714: (3, [0]),
        50717: (3, [4095]),
    }
    if preview is None:
        first, second = {**second, **{tag: first[tag] for tag in first if tag > 50_000}}, {}
        first |= {271: (2, list(b"Maker\0")), 272: (2, list(b"Model\0")), 274: (3, [orientation])}
        first[273] = (4, [8 + len(_directory(first, 8))])
        return b"II*\0" + struct.pack("<I", 8) + _directory(first, 8) + raw
    sizes = [len(_directory(tags, 0)) for tags in (first, second)]
    pixels = 8 + sum(sizes)
    first[330] = (4, [8 + sizes[0]])
    first[273], second[273] = (4, [pixels]), (4, [pixels + len(shown)])
    directories = _directory(first, 8) + _directory(second, 8 + sizes[0])
    return b"II*\0" + struct.pack("<I", 8) + directories + shown + raw


def _directory(tags: dict[int, tuple[int, list[int]]], at: int) -> bytes:
    """A TIFF directory that begins at a position of the file, with its values behind it."""
    rows, more = b"", b""
    behind = at + 2 + 12 * len(tags) + 4
    for tag, (kind, values) in sorted(tags.items()):
        code = {1: "B", 2: "B", 3: "H", 4: "I", 10: "i"}[kind]
        data = struct.pack(f"<{len(values)}{code}", *values)
        count = len(values) // (2 if kind == 10 else 1)
        if len(data) > 4:
            place = struct.pack("<I", behind + len(more))
            more += data + bytes(len(data) % 2)
        else:
            place = data.ljust(4, b"\0")
        rows += struct.pack("<HHI", tag, kind, count) + place
    return struct.pack("<H", len(tags)) + rows + bytes(4) + more
