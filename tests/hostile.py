"""A folder with every kind of bad image that people have, and the odd ones that are good."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

WIDE = (96, 64)
"""Width and height of the ordinary images here."""


def scene(size: tuple[int, int] = WIDE) -> Image.Image:
    """A smooth image whose left is red, right is blue and top is bright: turns can be seen."""
    width, height = size
    x = np.linspace(0, 1, width)[None, :]
    y = np.linspace(1, 0.4, height)[:, None]
    rgb = np.stack([(1 - x) * y, 0.3 * np.ones_like(x) * y, x * y], axis=-1)
    return Image.fromarray(np.rint(rgb * 255).astype(np.uint8))


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """A valid PNG header that guarantees `side` x `side` pixels, in a few hundred bytes."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100_000)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            png_chunk(b"IDAT", body),
            png_chunk(b"IEND", b""),
        ]
    )


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def sideways(orientation: int = 6, size: tuple[int, int] = WIDE) -> bytes:
    """The scene as a camera stores it that was held sideways: upright only by its EXIF."""
    turned = {1: scene(size), 6: scene(size).transpose(Image.Transpose.ROTATE_90)}[orientation]
    return encode(turned, "JPEG", quality=95, exif=exif(orientation))


def deep_grey() -> Image.Image:
    """A ramp over all 16 bits."""
    ramp = np.linspace(0, 65535, WIDE[0]).astype(np.uint16)
    return Image.fromarray(np.tile(ramp, (WIDE[1], 1)))


def see_through() -> Image.Image:
    """A palette image, black where it is transparent."""
    image = scene().quantize(16)
    image.putpalette([0, 0, 0, *image.getpalette()[3:48]])
    return image


def make_hostile_folder(root: Path) -> dict[str, bool]:
    """Write the folder; returns file name -> whether it should be classified."""
    root.mkdir(parents=True, exist_ok=True)
    jpeg = encode(scene((320, 240)), "JPEG", quality=95)
    frames = [scene(), scene().transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    good = {
        "plain.jpg": jpeg,
        "UPPER.JPG": jpeg,
        "name with spaces, commas & ünïcode.jpg": jpeg,
        "animated.gif": encode(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "palette.png": encode(see_through(), "PNG", transparency=0),
        "rgba.png": encode(scene().convert("RGBA"), "PNG"),
        "grey.jpg": encode(scene().convert("L"), "JPEG"),
        "bilevel.png": encode(scene().convert("1"), "PNG"),
        "cmyk.jpg": encode(scene().convert("CMYK"), "JPEG"),
        "deep.png": encode(deep_grey(), "PNG"),
        "float.tiff": encode(Image.fromarray(np.ones((8, 8), np.float32) / 2), "TIFF"),
        "sideways.jpg": sideways(),
        "strip.png": encode(Image.new("RGB", (1, 10_000), "teal"), "PNG"),
        "pixel.png": encode(Image.new("RGB", (1, 1), "teal"), "PNG"),
        "odd_exif.jpg": encode(scene(), "JPEG", exif=b"Exif\0\0MM\0*garbage"),
    }
    bad = {
        "corrupt.jpg": jpeg[:200] + bytes(200),
        "corrupt.png": encode(scene(), "PNG")[:60] + b"\xff" * 300,
        "truncated.jpg": jpeg[: len(jpeg) // 2],
        "truncated.png": encode(scene(), "PNG")[:-200],
        "empty.jpg": b"",
        "text.jpg": b"this is not an image\n",
        "page.png": b"<!doctype html><title>404</title>",
        "bomb.png": bomb(50_000),
    }
    for name, data in (good | bad).items():
        (root / name).write_bytes(data)
    (root / "folder.jpg").mkdir(exist_ok=True)
    link = root / "broken_link.jpg"
    if not link.is_symlink():
        link.symlink_to(root / "nowhere.jpg")
    (root / ".hidden.jpg").write_bytes(b"left out")
    (root / "Thumbs.db").write_bytes(b"left out")
    (root / "notes.txt").write_text("left out")
    (root / "__MACOSX").mkdir(exist_ok=True)
    (root / "__MACOSX" / "._plain.jpg").write_bytes(b"left out")
    unusable = dict.fromkeys((*bad, "folder.jpg", "broken_link.jpg"), False)
    return dict.fromkeys(good, True) | unusable
