"""Files of 16 bits a channel, which Pillow cannot write."""

import struct
import zlib

import numpy as np

from tests.hostile import png_chunk

KINDS = {2: 4, 3: 2, 4: 6}
"""PNG's colour type by the number of channels: grey with alpha, RGB, RGBA."""


def png(values: np.ndarray) -> bytes:
    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, KINDS[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def tiff(values: np.ndarray, order: str = "<", packed: bool = False, planes: bool = False) -> bytes:
    """RGB, of one strip or, in planes, of one for each colour."""
    height, width, _ = values.shape
    parts = [values[..., at] for at in range(3)] if planes else [values]
    strips = [part.astype(order + "u2").tobytes() for part in parts]
    strips = [zlib.compress(strip) for strip in strips] if packed else strips
    tags: list[tuple[int, str, list[int]]] = [
        (256, "H", [width]),
        (257, "H", [height]),
        (258, "H", [16] * 3),
        (259, "H", [8 if packed else 1]),
        (262, "H", [2]),
        (273, "I", [0] * len(strips)),
        (277, "H", [3]),
        (278, "H", [height]),
        (279, "I", list(map(len, strips))),
        (284, "H", [2 if planes else 1]),
    ]
    place = 8 + 2 + 12 * len(tags) + 4 + 100  # 100 bytes for what is longer than four
    tags[5] = (273, "I", [place + sum(map(len, strips[:at])) for at in range(len(strips))])
    entries, beside, at = b"", b"", place - 100
    for tag, form, numbers in tags:
        value = struct.pack(f"{order}{len(numbers)}{form}", *numbers)
        if len(value) > 4:
            beside, value = beside + value, struct.pack(order + "I", at + len(beside))
        kind = {"H": 3, "I": 4}[form]
        entries += struct.pack(order + "HHI", tag, kind, len(numbers)) + value.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    directory = struct.pack(order + "H", len(tags)) + entries + bytes(4)
    return head + directory + beside.ljust(100, b"\0") + b"".join(strips)
