"""From a decoded image to the input of a tower: resize, crop, normalise."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from clipfg.functional.windows import Window, window_size

Interpolation = Literal["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]


def channels(value: float | Iterable[float]) -> tuple[float, float, float]:
    """A statistic of each channel, from one for all of them or from three."""
    red, green, blue = [value] * 3 if isinstance(value, int | float) else value
    return float(red), float(green), float(blue)


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the input of a tower."""

    any_shape: ClassVar[bool] = False
    """Whether the tower takes each image in its own shape (NaFlex)."""

    size: tuple[int, int]
    """Height and width of the input in pixels."""
    resize: Literal["crop", "squash", "pad"] = "crop"
    """`"crop"`: resize the shorter side to `shortest`, then crop the centre; `"squash"`: resize
    both sides to `size`, whatever the aspect ratio; `"pad"`: resize the longer side to `size` and
    fill the rest with `fill`."""
    shortest: int | None = None
    """Length of the shorter side before a `"crop"`, in pixels, where it is not that of `size`."""
    interpolation: Interpolation = "bicubic"
    """Pillow's name of the resampling filter (antialiased, as all of Pillow's are)."""
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    """By channel, of pixel values from 0 to 1; as `std`."""
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)
    fill: int = 0
    """The grey level, 0 to 255, of `"pad"`."""
    crop_rounding: Literal["nearest", "down"] = "nearest"
    """How an odd margin is halved: to even, as in torchvision, or down, as in transformers."""

    def target(self, width: int, height: int) -> tuple[int, int]:
        """The width and height that an image of `width` x `height` is resized to, before a crop."""
        rows, columns = self.size
        if self.resize == "squash":
            return columns, rows
        if self.resize == "crop" and (self.shortest or rows == columns):
            # Rounded down on the longer side, as torchvision's Resize does.
            short = self.shortest or rows
            if width <= height:
                return short, max(short, int(short * height / width))
            return max(short, int(short * width / height)), short
        # One side fits exactly: the shorter one for a crop, the longer one for padding.
        fit = min if self.resize == "crop" else max
        ratio = fit(height / rows, width / columns)
        return max(1, round(width / ratio)), max(1, round(height / ratio))

    def frame(self, width: int, height: int) -> tuple[int, int]:  # noqa: ARG002
        """The height and width of the input that an image of `width` x `height` becomes."""
        return self.size

    @property
    def shape(self) -> str:
        """What the tower takes, in words."""
        return f"{self.size[0]} x {self.size[1]} pixels"

    def stack(self, pixels: Sequence[Tensor], count: int) -> Tensor | list[Tensor]:
        """Images as one input of the tower, filled up with black to `count`."""
        batch = pixels[0].new_zeros((count, *pixels[0].shape))
        for place, image in enumerate(pixels):
            batch[place] = image
        return batch

    def _margin(self, length: int, wanted: int) -> int:
        """Where a crop of `wanted` pixels begins; negative where the image has fewer."""
        if length < wanted:
            return -((wanted - length) // 2)
        margin = (length - wanted) / 2
        return round(margin) if self.crop_rounding == "nearest" else int(margin)

    def __call__(self, image: Image.Image, window: Window | None = None) -> UInt8[Tensor, "3 h w"]:
        """The pixels of one RGB image, resized and cropped but not yet normalised.

        `window` is the part of the image that counts, in its pixels; all of it for None. For a JPEG
        decoded at reduced size, `info["drafted"]` has the size of the full image, in whose pixels
        the window is, and which decides where the crop lies.
        """
        size, box = image.info.get("drafted", (image.size, None))
        if window is not None:
            box = _scaled(window, size, box or (0.0, 0.0, *map(float, image.size)))
            size = window_size(window)
        resampling = Image.Resampling[self.interpolation.upper()]
        resized = image.resize(self.target(*size), resampling, box)
        rows, columns = self.frame(*size)
        if resized.size != (columns, rows):
            left, top = self._margin(resized.width, columns), self._margin(resized.height, rows)
            # Outside the image a crop is black, as in torchvision; padding has its own grey.
            fill = self.fill if self.resize == "pad" else 0
            canvas = Image.new("RGB", (columns, rows), (fill,) * 3)
            canvas.paste(resized, (-left, -top))
            resized = canvas
        return torch.from_numpy(np.array(resized, dtype=np.uint8)).permute(2, 0, 1).contiguous()

    def normalise(self, pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Pixels scaled to the statistics that the tower was trained with, in float32."""
        given = torch.tensor([self.mean, self.std], device=pixels.device)
        mean, std = given.view(2, 1, 3, 1, 1) * 255
        return (pixels.float() - mean) / std

    def window(self, width: int, height: int) -> tuple[float, float, float, float]:
        """What the tower sees of an upright image of `width x height`: `x0, y0, x1, y1` in its
        pixels, beyond its edges where the input is padded.
        """
        rows, columns = self.frame(width, height)
        wide, high = self.target(width, height)
        left, top = self._margin(wide, columns), self._margin(high, rows)
        across, down = width / wide, height / high
        return left * across, top * down, (left + columns) * across, (top + rows) * down

    def map_boxes(
        self, boxes: Float[Tensor, "r 4"], width: int, height: int
    ) -> Float[Tensor, "r 4"]:
        """Boxes of an upright image of `width x height`, in the pixels of what it is made into.

        Boxes are `x0, y0, x1, y1` in pixels. What the crop leaves out is cut off: a box that lies
        outside it altogether comes out empty.
        """
        rows, columns = self.frame(width, height)
        wide, high = self.target(width, height)
        scale = boxes.new_tensor([wide / width, high / height] * 2)
        shift = boxes.new_tensor([self._margin(wide, columns), self._margin(high, rows)] * 2)
        edge = boxes.new_tensor([columns, rows] * 2)
        return (boxes * scale - shift).clamp(min=0).minimum(edge)


def _scaled(window: Window, full: tuple[int, int], shown: Window) -> Window:
    """A window of a full image in the pixels of a reduced one, where `shown` is all of it."""
    across, down = (shown[2] - shown[0]) / full[0], (shown[3] - shown[1]) / full[1]
    x0, y0, x1, y1 = window
    return (
        shown[0] + x0 * across,
        shown[1] + y0 * down,
        min(shown[0] + x1 * across, shown[2]),
        min(shown[1] + y1 * down, shown[3]),
    )
