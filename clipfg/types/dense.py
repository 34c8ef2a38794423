"""Features of parts of an image: patches on a grid, and regions by their boxes.

Items differ in how many they have, so the rows of all items lie end to end in one matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError

Offsets = NDArray[np.int64]
"""Where the rows of each of n items begin, and where the last ends: `[n + 1]`, from 0."""


@dataclass(frozen=True)
class Patches:
    """Patch features of n items. Raises `DataError` where grids do not add up to the rows."""

    values: NDArray[Any]
    """As the encoder gives them, not normalised: float `[r, d]`, those of each item row by row from
    the top left."""
    grids: NDArray[np.int64]
    """Rows and columns of patches in each item `[n, 2]`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "grids", np.asarray(self.grids, np.int64).reshape(-1, 2))
        if self.values.ndim != 2 or self.offsets[-1] != len(self.values):
            raise DataError(
                f"Expected {self.offsets[-1]} patches, as their grids say, got an array of shape"
                f" {self.values.shape}."
            )

    @cached_property
    def offsets(self) -> Offsets:
        """Where the patches of each item begin and end `[n + 1]`."""
        return offsets_of(self.grids.prod(axis=1))

    def __len__(self) -> int:
        return len(self.grids)

    def __getitem__(self, item: int) -> NDArray[Any]:
        """The map of one item `[h, w, d]`."""
        start, stop = self.offsets[item], self.offsets[item + 1]
        return self.values[start:stop].reshape(*self.grids[item], -1)

    def rows(self, items: NDArray[np.int64]) -> Self:
        """Those of some items."""
        values, _ = gather(self.offsets, items)
        return type(self)(self.values[values], self.grids[items])

    @classmethod
    def concat(cls, parts: Sequence["Patches"]) -> Self:
        """Those of the items of every part, which are one or more."""
        return cls(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.grids for part in parts]),
        )


@dataclass(frozen=True)
class Regions:
    """Region features of n items. Raises `DataError` for lengths that differ."""

    values: NDArray[np.float32]
    """Of unit norm `[r, d]`, or 0 for a box of which the encoder sees nothing, since it is empty or
    the encoder's crop leaves it out."""
    boxes: NDArray[np.float32]
    """`x0, y0, x1, y1` in pixels of the upright image `[r, 4]`."""
    offsets: Offsets
    """Where the regions of each item begin and end `[n + 1]`."""
    phrases: tuple[str | None, ...] = ()
    """What each region shows, or None; empty where no phrase is known."""

    def __post_init__(self) -> None:
        count = len(self.values)
        lengths = [len(self.boxes), int(self.offsets[-1]), len(self.phrases) or count]
        if lengths != [count] * 3:
            raise DataError(
                f"Expected boxes, offsets and phrases for {count} regions, got {lengths}."
            )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, item: int) -> NDArray[np.float32]:
        """The features of one item's regions `[r, d]`."""
        return self.values[self.offsets[item] : self.offsets[item + 1]]

    def rows(self, items: NDArray[np.int64]) -> Self:
        """Those of some items."""
        which, offsets = gather(self.offsets, items)
        phrases = tuple(self.phrases[row] for row in which) if self.phrases else ()
        return type(self)(self.values[which], self.boxes[which], offsets, phrases)

    @classmethod
    def concat(cls, parts: Sequence["Regions"]) -> Self:
        """Those of the items of every part, which are one or more."""
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        phrases = [part.phrases or (None,) * len(part.values) for part in parts]
        return cls(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.boxes for part in parts]),
            offsets_of(lengths),
            tuple(phrase for each in phrases for phrase in each),
        )


def offsets_of(lengths: NDArray[Any] | Sequence[int]) -> Offsets:
    """Offsets `[n + 1]` of n runs from their lengths."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def gather(offsets: Offsets, items: NDArray[np.int64]) -> tuple[NDArray[np.int64], Offsets]:
    """The rows of some items, end to end, and the offsets of these items among those rows."""
    lengths = np.diff(offsets)[items]
    taken = offsets_of(lengths)
    return np.repeat(offsets[:-1][items] - taken[:-1], lengths) + np.arange(taken[-1]), taken


def bag_offsets(bags: NDArray[np.int64]) -> Offsets:
    """Offsets `[b + 1]` of bags from the bag that each row is in `[n]`.

    Raises `DataError` where the rows of a bag do not stand together.
    """
    starts = np.flatnonzero(np.diff(bags, prepend=-1))
    if len(np.unique(bags)) != len(starts):
        raise DataError("Expected the rows of each bag together, got a bag in several places.")
    return np.append(starts, len(bags))
