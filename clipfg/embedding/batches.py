"""What the embedding pipeline yields: rows of features in the manifest's order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from clipfg.embedding.cached_features import ItemFeatures
from clipfg.embedding.image_row import ImageRow
from clipfg.types import Patches, Regions
from clipfg.types.dense import offsets_of


@dataclass(frozen=True)
class FeatureBatch:
    """Consecutive items of a manifest, without those that could not be embedded."""

    positions: NDArray[np.int64]
    """Their rows in the manifest `[b]`, ascending."""
    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    """Their pooled features: unit norm `[b, d]`."""
    labels: NDArray[np.int64]
    """Class indices `[b]`, -1 where the class is unknown."""
    reused: int
    """How many were not encoded in this run: their features were cached, or are a copy's."""
    patches: Patches | None = None
    regions: Regions | None = None
    bags: NDArray[np.int64] | None = None
    """The bag that each item is in `[b]`, by `Manifest.bags`; it may go on in the next batch."""
    views: NDArray[np.float32] | None = None
    """The features of the views that `vectors` are means of: unit norm `[b, v, d]`."""

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, rows: Sequence[ImageRow], bags: NDArray[np.int64] | None) -> Self | None:
        """The rows that have features, or None when none has; `bags` are those of the manifest."""
        good = [(row, row.outcome) for row in rows if isinstance(row.outcome, ItemFeatures)]
        if not good:
            return None
        positions = np.array([row.position for row, _ in good], dtype=np.int64)
        return cls(
            positions=positions,
            ids=tuple(row.id for row, _ in good),
            vectors=np.stack([features.pooled for _, features in good]),
            labels=np.array([row.label for row, _ in good], dtype=np.int64),
            reused=sum(row.reused for row, _ in good),
            patches=None if good[0][1].patches is None else _patches(good),
            regions=None if good[0][1].regions is None else _regions(good),
            bags=None if bags is None else bags[positions],
        )


Item = tuple[ImageRow, ItemFeatures]


def _patches(items: list[Item]) -> Patches:
    maps = [features.patches for _, features in items if features.patches is not None]
    values = np.concatenate([each.reshape(-1, each.shape[-1]) for each in maps])
    return Patches(values, np.array([each.shape[:2] for each in maps]))


def _regions(items: list[Item]) -> Regions:
    values = [features.regions for _, features in items if features.regions is not None]
    return Regions(
        values=np.concatenate(values),
        boxes=np.concatenate([row.boxes for row, _ in items if row.boxes is not None]),
        offsets=offsets_of([len(each) for each in values]),
        phrases=tuple(phrase for row, _ in items for phrase in row.phrases),
    )
