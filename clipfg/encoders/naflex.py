"""NaFlex: images at their own aspect ratio, cut into as many patches as a budget allows.

SigLIP 2 (arXiv:2502.14786) takes patches of an image of any shape, padded to a common number and
masked. Images that are encoded together are grouped by the smallest budget that holds them, and
each group goes through the tower in passes of one fixed shape: the bits of a feature depend on the
image and the number of images given, never on which others these are.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from clipfg.encoders.preprocessing import Preprocessing

PASS_PATCHES = 4096
"""Patches in one pass, at most: 4 images of 1,024, 16 of 256. More gains nothing on a CPU."""


@dataclass(frozen=True)
class PatchBatch:
    """Images as rows of patches; rows past the end of an image are 0 and masked."""

    patches: Float[Tensor, "b n k"]
    """Row by row from the top left; in each, pixels by row, column and channel."""
    mask: Bool[Tensor, "b n"]
    """True for the patches of an image."""
    shapes: Int[Tensor, "b 2"]
    """Rows and columns of patches in each image."""


@dataclass(frozen=True)
class NaFlexPreprocessing(Preprocessing):
    """Resizes an image to the most patches that its budget allows; `size` is the largest square."""

    any_shape: ClassVar[bool] = True

    budgets: tuple[int, ...] = (256,)
    """Ascending. An image gets the smallest that holds the whole patches of its own size, or the
    last."""
    patch: int = 16
    """The side of a patch in pixels."""

    def budget(self, patches: int) -> int:
        """The smallest budget that holds so many patches, or the last."""
        return next((budget for budget in self.budgets if patches <= budget), self.budgets[-1])

    def target(self, width: int, height: int) -> tuple[int, int]:
        """The width and height, multiples of a patch's, that an image is resized to."""
        budget = self.budget((width // self.patch) * (height // self.patch))
        rows, columns = naflex_grid(height, width, self.patch, budget)
        return columns * self.patch, rows * self.patch

    def frame(self, width: int, height: int) -> tuple[int, int]:
        """The resized height and width: nothing is cropped."""
        columns, rows = self.target(width, height)
        return rows, columns

    @property
    def shape(self) -> str:
        """What the tower takes, in words."""
        return f"up to {self.budgets[-1]:,} patches of {self.patch} x {self.patch} pixels"

    def stack(self, pixels: Sequence[Tensor], count: int) -> list[Tensor]:
        """The images as they are, filled up with single black patches to `count`."""
        black = torch.zeros((3, self.patch, self.patch), dtype=torch.uint8)
        return [*pixels, *[black] * (count - len(pixels))]

    def passes(
        self, pixels: Sequence[UInt8[Tensor, "3 _h _w"]], device: torch.device
    ) -> Iterator[tuple[list[int], PatchBatch]]:
        """The images in passes of a fixed shape for each budget, with their places in `pixels`.

        A pass of budget n has min(images, 4096 / n) rows; unused ones hold one grey patch.
        """
        groups: dict[int, list[int]] = {}
        for place, image in enumerate(pixels):
            count = (image.shape[-2] // self.patch) * (image.shape[-1] // self.patch)
            groups.setdefault(max(count, self.budget(count)), []).append(place)
        for budget, places in sorted(groups.items()):
            rows = min(len(pixels), max(1, PASS_PATCHES // budget))
            for start in range(0, len(places), rows):
                own = places[start : start + rows]
                yield own, self._batch([pixels[place] for place in own], rows, budget, device)

    def _batch(
        self, images: Sequence[Tensor], rows: int, budget: int, device: torch.device
    ) -> PatchBatch:
        width = 3 * self.patch**2
        raw = torch.zeros((rows, budget, width), dtype=torch.uint8)
        shapes = torch.ones((rows, 2), dtype=torch.long)
        for row, image in enumerate(images):
            cut = cut_patches(image.cpu(), self.patch)
            shapes[row] = torch.tensor([side // self.patch for side in image.shape[-2:]])
            raw[row, : len(cut)] = cut
        mask = torch.arange(budget)[None] < shapes.prod(1, keepdim=True)
        raw, mask, shapes = raw.to(device), mask.to(device), shapes.to(device)
        mean, std = torch.tensor([self.mean, self.std], device=device) * 255
        pixels = raw.float().unflatten(-1, (-1, 3))
        return PatchBatch(((pixels - mean) / std).flatten(-2) * mask[..., None], mask, shapes)


def naflex_grid(height: int, width: int, patch: int, budget: int) -> tuple[int, int]:
    """Rows and columns of the most patches, at most `budget`, that keep an image's aspect ratio.

    Each side is ceil(scale x side / patch) patches, for the largest scale up to 100 at which they
    fit the budget, found by bisection to 1e-5.
    """

    def grid(scale: float) -> tuple[int, int]:
        return math.ceil(height * scale / patch), math.ceil(width * scale / patch)

    fits, too_large = 1e-6, 100.0
    while too_large - fits >= 1e-5:
        scale = (fits + too_large) / 2
        if math.prod(grid(scale)) <= budget:
            fits = scale
        else:
            too_large = scale
    return grid(fits)


def cut_patches(image: UInt8[Tensor, "3 h w"], patch: int) -> UInt8[Tensor, "n k"]:
    """The patches of an image as rows: pixels by row, column and channel."""
    rows, columns = (side // patch for side in image.shape[-2:])
    grid = image.reshape(3, rows, patch, columns, patch)
    return grid.permute(1, 3, 2, 4, 0).reshape(rows * columns, -1)
