"""A map in the coordinates of the upright image that its tower saw a part of."""

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample

from clipfg.encoders.preprocessing import Preprocessing


@dataclass(frozen=True)
class Placement:
    """Where the cells of a map lie in an upright image of `width x height` pixels.

    `window` are the edges `x0, y0, x1, y1` of the map in the image's pixels. They lie inside the
    image where it was cropped, and outside where it was padded.
    """

    width: int
    height: int
    window: tuple[float, float, float, float]

    @classmethod
    def of(cls, preprocessing: Preprocessing, size: tuple[int, int], grid: tuple[int, int]) -> Self:
        """For a map of `grid` rows and columns over an image of `size`, width and height."""
        x0, y0, x1, y1 = preprocessing.window(*size)
        # Square patches leave a margin at the right and at the bottom where they do not fill up.
        down, across = (
            cells * (side // cells) / side
            for cells, side in zip(grid, preprocessing.frame(*size), strict=True)
        )
        return cls(*size, (x0, y0, x0 + across * (x1 - x0), y0 + down * (y1 - y0)))

    def spread(
        self, map_: Float[Tensor, "rows cols"], size: tuple[int, int]
    ) -> tuple[Float[Tensor, "h w"], Bool[Tensor, "h w"]]:
        """The map over the whole image, shown at `size` (width and height), and what was seen.

        Values lie at the centres of the cells, and between them in proportion; a place that was not
        seen has the value of the nearest that was.
        """
        x0, y0, x1, y1 = self.window
        wide, high = size
        across = ((torch.arange(wide) + 0.5) * self.width / wide - x0) / (x1 - x0)
        down = ((torch.arange(high) + 0.5) * self.height / high - y0) / (y1 - y0)
        places = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=-1)
        values = grid_sample(
            map_[None, None].float(),
            2 * places[None] - 1,
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )[0, 0]
        return values, ((places >= 0) & (places < 1)).all(dim=-1)

    def peak(self, map_: Float[Tensor, "rows cols"]) -> tuple[float, float]:
        """The centre `x, y` of the map's highest cell, in pixels of the upright image."""
        rows, columns = map_.shape
        row, column = divmod(int(map_.argmax()), columns)
        x0, y0, x1, y1 = self.window
        x = x0 + (column + 0.5) / columns * (x1 - x0)
        y = y0 + (row + 0.5) / rows * (y1 - y0)
        return min(max(x, 0.0), float(self.width)), min(max(y, 0.0), float(self.height))
