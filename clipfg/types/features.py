"""Embedded items as a matrix in NumPy's memory, which any library reads without a copy."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError
from clipfg.types.class_list import ClassList
from clipfg.types.dense import Offsets, Patches, Regions, bag_offsets, gather


@dataclass(frozen=True)
class Features:
    """Embedded items: a feature each with an id, and a label where it is known.

    Pooled features are normalised here, once, and nowhere else. Raises `DataError` for mismatched
    lengths and for rows that are zero or not finite.
    """

    ids: tuple[str, ...]
    pooled: NDArray[np.float32]
    """Any finite, non-zero rows `[n, d]`; they are scaled to unit norm."""
    labels: NDArray[np.int64]
    """Class indices `[n]` in `classes`, `UNLABELLED` where unknown."""
    classes: ClassList | None = None
    fingerprint: str = ""
    """Of the encoder that made them (weights, preprocessing and precision)."""
    manifest: str = ""
    """`Manifest.digest` of the items."""
    splits: tuple[str | None, ...] = ()
    """One split name per row, or empty."""
    patches: Patches | None = None
    regions: Regions | None = None
    bag_offsets: Offsets | None = None
    """Where each of b bags of consecutive rows begins, and where the last ends `[b + 1]`."""
    bag_names: tuple[str, ...] = ()
    """One name for each bag, or empty."""

    def __post_init__(self) -> None:
        if self.pooled.ndim != 2:
            raise DataError(
                f"Expected features of shape [n, d], got an array of shape {self.pooled.shape}."
            )
        rows = len(self.pooled)
        for name, given in (
            ("ids", self.ids),
            ("labels", self.labels),
            ("splits", self.splits or self.ids),
            ("sets of patches", self.patches),
            ("sets of regions", self.regions),
        ):
            if given is not None and len(given) != rows:
                raise DataError(f"Expected {rows} {name}, one per feature row, got {len(given)}.")
        bags = self.bag_offsets
        if bags is not None and (bags[0] != 0 or bags[-1] != rows or (np.diff(bags) < 1).any()):
            raise DataError(f"Expected bag offsets that rise from 0 to {rows}, got {bags}.")
        count = 0 if bags is None else len(bags) - 1
        if self.bag_names and len(self.bag_names) != count:
            raise DataError(f"Expected {count} names of bags, got {len(self.bag_names)}.")
        object.__setattr__(self, "pooled", unit_norm(self.pooled))
        object.__setattr__(self, "labels", np.asarray(self.labels, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.pooled)

    @property
    def dim(self) -> int:
        """The width `d` of a feature."""
        return int(self.pooled.shape[1])

    def rows(self, which: NDArray[Any] | Iterable[int]) -> Self:
        """The rows that an index array or a boolean mask selects, in its order.

        A bag keeps those of its rows that are selected, and is dropped when none is. Raises
        `DataError` where the order would take a bag apart.
        """
        positions = _positions(which, len(self))
        if self.bag_offsets is None:
            return self._take(positions)
        numbers = np.searchsorted(self.bag_offsets, positions, side="right") - 1
        offsets = bag_offsets(numbers)
        return self._take(positions, offsets, numbers[offsets[:-1]])

    def bags(self, which: NDArray[Any] | Iterable[int]) -> Self:
        """The bags that an index array or a boolean mask selects, whole and in its order.

        Raises `DataError` for items that are in no bags.
        """
        if self.bag_offsets is None:
            raise DataError("Expected items in bags, got items without; give them a bag column.")
        chosen = _positions(which, len(self.bag_offsets) - 1)
        return self._take(*gather(self.bag_offsets, chosen), chosen)

    def _take(
        self,
        positions: NDArray[np.int64],
        offsets: Offsets | None = None,
        bags: NDArray[np.int64] | tuple[()] = (),
    ) -> Self:
        return replace(
            self,
            ids=tuple(self.ids[i] for i in positions),
            pooled=self.pooled[positions],
            labels=self.labels[positions],
            splits=tuple(self.splits[i] for i in positions) if self.splits else (),
            patches=None if self.patches is None else self.patches.rows(positions),
            regions=None if self.regions is None else self.regions.rows(positions),
            bag_offsets=offsets,
            bag_names=tuple(self.bag_names[i] for i in bags) if self.bag_names else (),
        )


def _positions(which: NDArray[Any] | Iterable[int], count: int) -> NDArray[np.int64]:
    index = np.asarray(which if isinstance(which, np.ndarray) else list(which))
    return np.arange(count)[index if index.size else index.astype(np.int64)]


def unit_norm(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Rows `[n, d]` scaled to Euclidean norm 1, as float32.

    Rows already within 1e-6 of unit norm are returned bit for bit, so that features survive a
    round trip through a file unchanged. Raises `DataError` for a zero or non-finite row.
    """
    matrix = np.ascontiguousarray(rows, dtype=np.float32)
    norms = np.sqrt(np.einsum("nd,nd->n", matrix, matrix, dtype=np.float64))
    bad = np.flatnonzero(~np.isfinite(norms) | (norms == 0))
    if bad.size:
        raise DataError(
            f"Expected finite, non-zero features, got {bad.size} that are not"
            f" (first: row {bad[0]})."
        )
    off = np.abs(norms - 1) > 1e-6
    if not off.any():
        return matrix
    scale = np.where(off, norms, 1.0)[:, None]
    return (matrix / scale).astype(np.float32)
