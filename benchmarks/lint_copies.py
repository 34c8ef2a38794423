"""Edited copies of images, as people make them: for finding out which of them a check finds."""

import io
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageEnhance, ImageOps

Edit = Callable[[Image.Image], Image.Image]


def reencoded(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def resized(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    return image.resize((round(width * share), round(height * share)), Image.Resampling.BICUBIC)


def cropped(image: Image.Image, share: float) -> Image.Image:
    """What is left when each side is cut to `share`, off the places that the check looks at."""
    width, height = image.size
    left, top = round(width * (1 - share) * 0.2), round(height * (1 - share) * 0.75)
    return image.crop((left, top, left + round(width * share), top + round(height * share)))


def stamped(image: Image.Image) -> Image.Image:
    copy = image.copy()
    width, height = copy.size
    ImageDraw.Draw(copy).text(
        (0.05 * width, 0.85 * height), "(c) example.org", fill="white", font_size=height // 12
    )
    return copy


EDITS: dict[str, Edit] = {
    "JPEG quality 75": lambda image: reencoded(image, 75),
    "JPEG quality 30": lambda image: reencoded(image, 30),
    "half the size": lambda image: resized(image, 0.5),
    "97 % of each side": lambda image: cropped(image, 0.97),
    "92 % of each side": lambda image: cropped(image, 0.92),
    "87 % of each side": lambda image: cropped(image, 0.87),
    "82 % of each side": lambda image: cropped(image, 0.82),
    "brighter by 20 %": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "a line of text": stamped,
    "mirrored": ImageOps.mirror,
    "grey": lambda image: image.convert("L").convert("RGB"),
}
