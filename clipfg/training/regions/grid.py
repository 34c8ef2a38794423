"""Windows over the picture, whatever it shows: no weights, and no look at it."""

from clipfg.functional.windows import grid_windows
from clipfg.training.regions.base import Means, Proposer, Region


def grid(_: Means) -> Proposer:
    """Nine windows of half the picture's sides, from the middle outwards."""
    return lambda picture: _windows(*picture.size)


def _windows(width: int, height: int) -> list[Region]:
    def off(region: Region) -> float:
        x0, y0, x1, y1 = region.box
        return abs(x0 + x1 - width) / width + abs(y0 + y1 - height) / height

    return sorted(map(Region, grid_windows(width, height, ((1 / 2, 3),))), key=off)
