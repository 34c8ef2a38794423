"""Embedded items as a matrix in NumPy's memory, which any library reads without a copy."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError
from clipfg.types.class_list import ClassList


@dataclass(frozen=True)
class Features:
    """Embedded items: unit-norm rows with ids, and labels where they are known.

    Rows are normalised here, once, and nowhere else.

    Parameters
    ----------
    ids
        One id per row.
    pooled
        Float32 `[n, d]`. Any finite, non-zero rows are taken; they are scaled to unit norm.
    labels
        Class indices `[n]`, `UNLABELLED` where unknown.
    classes
        The class list that `labels` index.
    fingerprint
        Of the encoder that made them (weights, preprocessing and precision).
    manifest
        `Manifest.digest` of the items.
    splits
        One split name per row, or empty.
    patches, bag_offsets
        Patch tokens `[n, p, d]`, and the first row of each bag, for methods that need them.

    Raises `DataError` for mismatched lengths and for rows that are zero or not finite.
    """

    ids: tuple[str, ...]
    pooled: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: ClassList | None = None
    fingerprint: str = ""
    manifest: str = ""
    splits: tuple[str | None, ...] = ()
    patches: NDArray[np.float32] | None = None
    bag_offsets: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.pooled.ndim != 2:
            raise DataError(
                f"Expected features of shape [n, d], got an array of shape {self.pooled.shape}."
            )
        rows = len(self.pooled)
        for name, length in (
            ("ids", len(self.ids)),
            ("labels", len(self.labels)),
            ("splits", len(self.splits) or rows),
        ):
            if length != rows:
                raise DataError(f"Expected {rows} {name}, one per feature row, got {length}.")
        object.__setattr__(self, "pooled", unit_norm(self.pooled))
        object.__setattr__(self, "labels", np.asarray(self.labels, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.pooled)

    @property
    def dim(self) -> int:
        """The width `d` of a feature."""
        return int(self.pooled.shape[1])

    def rows(self, which: NDArray[Any] | Iterable[int]) -> Self:
        """The rows that an index array or a boolean mask picks, in its order."""
        index = np.asarray(which if isinstance(which, np.ndarray) else list(which))
        positions = np.flatnonzero(index) if index.dtype == bool else index
        return replace(
            self,
            ids=tuple(self.ids[i] for i in positions),
            pooled=self.pooled[positions],
            labels=self.labels[positions],
            splits=tuple(self.splits[i] for i in positions) if self.splits else (),
            patches=None if self.patches is None else self.patches[positions],
            bag_offsets=None,
        )


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
