"""What the embedding pipeline hands on: rows of features in the manifest's order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FeatureBatch:
    """Consecutive items of a manifest that could be embedded.

    Attributes
    ----------
    positions
        Their rows in the manifest `[b]`, ascending.
    ids
        Their ids.
    vectors
        Unit-norm float32 `[b, d]`.
    labels
        Class indices `[b]`, -1 where the class is not known.
    reused
        How many of them were not encoded in this run but found in the cache, or are copies.
    """

    positions: NDArray[np.int64]
    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]
    reused: int

    def __len__(self) -> int:
        return len(self.ids)
