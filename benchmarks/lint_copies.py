"""Edited copies of images, as people make them, and spoilt ones, to see which a check finds."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

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


def barred(image: Image.Image) -> Image.Image:
    copy = image.copy()
    width, height = copy.size
    pen = ImageDraw.Draw(copy)
    pen.rectangle((0, 0.88 * height, width, height), fill="black")
    pen.text((0.03 * width, 0.89 * height), "(c) example.org", fill="white", font_size=height // 13)
    return copy


def blurred(image: Image.Image, share: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(share * max(image.size)))


def of_one_colour(image: Image.Image) -> Image.Image:
    """With the noise of a sensor."""
    rng = np.random.default_rng(image.width)
    pixels = rng.integers(20, 236, 3) + rng.normal(0, 4, (image.height, image.width, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def brighter(image: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(factor)


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
    "a bar with text": barred,
    "mirrored": ImageOps.mirror,
    "grey": lambda image: image.convert("L").convert("RGB"),
}

SPOILS: dict[str, tuple[str, Edit]] = {
    "15 % of the brightness": ("dark", lambda image: brighter(image, 0.15)),
    "30 % of the brightness": ("dark", lambda image: brighter(image, 0.3)),
    "washed out": ("washed-out", lambda image: image.point(lambda v: min(255, int(1.2 * v + 150)))),
    "3 times as bright": ("washed-out", lambda image: brighter(image, 3.0)),
    "blurred by 2 % of a side": ("blurred", lambda image: blurred(image, 0.02)),
    "blurred by 1 % of a side": ("blurred", lambda image: blurred(image, 0.01)),
    "one colour and noise": ("uniform", of_one_colour),
    "a fifth of the height": (
        "strip",
        lambda image: image.crop((0, 0, image.width, max(1, image.height // 5))),
    ),
}
"""Ways in which pictures are spoilt, with the finding that each is."""
