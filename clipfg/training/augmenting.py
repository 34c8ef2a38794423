"""Small changes of training images, drawn for the whole batch and applied to any part of it."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """Of each of b images, the window shown, in shares of its sides, and whether mirrored."""

    windows: Float[Tensor, "b 4"]
    """`x0, y0, x1, y1` from 0 to 1."""
    mirrored: Bool[Tensor, " b"]

    @classmethod
    def draw(
        cls, count: int, rng: np.random.Generator, *, mirror: bool, crop: float
    ) -> "Augmentation":
        """Windows whose sides are a share from `crop` to 1; a half is mirrored where allowed."""
        side = rng.uniform(crop, 1.0, count)
        start = rng.uniform(0.0, 1.0, (count, 2)) * (1 - side[:, None])
        windows = np.concatenate([start, start + side[:, None]], axis=1)
        flipped = (rng.random(count) < 0.5) & mirror
        return cls(torch.from_numpy(windows).float(), torch.from_numpy(flipped))

    def __getitem__(self, part: slice) -> "Augmentation":
        return Augmentation(self.windows[part], self.mirrored[part])

    def images(self, pixels: UInt8[Tensor, "b 3 h w"]) -> UInt8[Tensor, "b 3 h w"]:
        """The windows, enlarged to the size of the image."""
        flipped = torch.where(self.mirrored[:, None, None, None], pixels.flip(-1), pixels)
        x0, y0, x1, y1 = self.windows.T
        if not ((x1 - x0) < 1).any():
            return flipped
        turn = torch.zeros(len(pixels), 2, 3)
        turn[:, 0, 0], turn[:, 1, 1] = x1 - x0, y1 - y0
        turn[:, 0, 2], turn[:, 1, 2] = x0 + x1 - 1, y0 + y1 - 1
        shape = list(pixels.shape)
        grid = functional.affine_grid(turn.to(pixels.device), shape, align_corners=False)
        shown = functional.grid_sample(
            flipped.float(), grid, padding_mode="border", align_corners=False
        )
        return shown.round().to(torch.uint8)

    def boxes(
        self, boxes: Float[Tensor, "b r 4"], height: int, width: int
    ) -> Float[Tensor, "b r 4"]:
        """Boxes in pixels of the images, in those of `images(...)`; empty where cut off."""
        x0, y0, x1, y1 = boxes.unbind(-1)
        flip = self.mirrored[:, None]
        x0, x1 = torch.where(flip, width - x1, x0), torch.where(flip, width - x0, x1)
        edge = boxes.new_tensor([width, height] * 2)
        start, end = self.windows[:, None, :2], self.windows[:, None, 2:]
        shares = torch.stack([x0, y0, x1, y1], dim=-1) / edge
        shown = (shares - torch.cat([start, start], -1)) / torch.cat([end - start] * 2, -1)
        return shown.clamp(0, 1) * edge
