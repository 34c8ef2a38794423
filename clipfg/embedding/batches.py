"""What the embedding pipeline yields: rows of features in the manifest's order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipfg.types import Patches, Regions


@dataclass(frozen=True)
class FeatureBatch:
    """Consecutive items of a manifest, without those that could not be embedded.

    Attributes
    ----------
    positions
        Their rows in the manifest `[b]`, ascending.
    ids
        Their ids.
    vectors
        Their pooled features: unit-norm float32 `[b, d]`.
    labels
        Class indices `[b]`, -1 where the class is unknown.
    reused
        How many of them were not encoded in this run: their features were cached, or are those of
        a copy.
    patches, regions
        Features of parts of each item, where they were asked for.
    bags
        The bag that each item is in `[b]`, by `Manifest.bags`; None for data without bags. A bag
        may go on in the next batch.
    """

    positions: NDArray[np.int64]
    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]
    reused: int
    patches: Patches | None = None
    regions: Regions | None = None
    bags: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.ids)
