"""The cache as one run sees it: one encoder, and the kinds of features that the run asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from clipfg.embedding.cache import EmbeddingCache, FileHash
from clipfg.types import content_hash

if TYPE_CHECKING:
    from clipfg.encoders.base import Encoder

Dense = Literal["patches", "regions"]
"""What can be asked for beside the pooled feature."""

ImageKey = bytes
"""What an image's features are known by: its content hash and, where regions are asked for, its
boxes, as float32 `[r, 4]`."""
CONTENT = 16
"""Bytes of the content hash."""


def content_of(key: ImageKey) -> bytes:
    """The content hash of an image."""
    return key[:CONTENT]


@dataclass(slots=True)  # not frozen, which would triple the time to create one
class ItemFeatures:
    """The features of one image."""

    pooled: NDArray[np.float32]
    """Unit norm `[d]`."""
    patches: NDArray[np.float16] | None = None
    """Not normalised `[h, w, d]`. Half precision, as they take the place of hundreds of pooled
    features and are only ever averaged or compared: its rounding (a relative 5e-4) is far below
    what bf16 costs. They are rounded before they are handed on, so that results do not depend on
    what was cached."""
    regions: NDArray[np.float32] | None = None
    """Of unit norm or 0 `[r, d]` (see `types.Regions`), as precise as `pooled`: they take its place
    as keys and in heads."""


class CachedFeatures:
    """Features by image, all kinds that were asked for or none; without a cache, never any."""

    def __init__(
        self, cache: EmbeddingCache | None, encoder: Encoder, dense: Collection[Dense] = ()
    ) -> None:
        self.dense = frozenset(dense)
        self.cache = cache
        self._encoder = encoder
        self._fingerprint = encoder.fingerprint

    def one(self, key: ImageKey) -> ItemFeatures | None:
        """The features of one image, if all of them are kept."""
        return self.get([key]).get(key)

    def get(self, keys: Iterable[ImageKey]) -> dict[ImageKey, ItemFeatures]:
        """The images of which everything asked for is kept."""
        cache, by = self.cache, self._fingerprint
        if cache is None:
            return {}
        if not self.dense:  # every key is a content hash
            pooled = cache.get("images", by, list(dict.fromkeys(keys)))
            return {key: ItemFeatures(vector) for key, vector in pooled.items()}
        contents = {key: content_of(key) for key in keys}
        pooled = cache.get("images", by, list(contents.values()))
        found = {k: ItemFeatures(pooled[c]) for k, c in contents.items() if c in pooled}
        if "patches" in self.dense:
            hashes = {key: self._dense_hash(contents[key]) for key in found}
            maps = cache.get("patches", by, list(hashes.values()))
            found = {
                key: replace(features, patches=maps[hashes[key]])
                for key, features in found.items()
                if hashes[key] in maps
            }
        if "regions" in self.dense:
            hashes = {key: self._dense_hash(key) for key in found if len(key) > CONTENT}
            rows = cache.get("regions", by, list(hashes.values()))
            none = np.empty((0, self._encoder.dim), dtype=np.float32)
            found = {
                key: replace(features, regions=rows[hashes[key]] if key in hashes else none)
                for key, features in found.items()
                if key not in hashes or hashes[key] in rows
            }
        return found

    def put(
        self, features: Mapping[ImageKey, ItemFeatures], files: Sequence[FileHash] = ()
    ) -> dict[ImageKey, ItemFeatures]:
        """Keep features and content hashes; returns the features as a later run will find them.

        A pooled feature that was kept already stays: it may differ in its last bits.
        """
        cache, by, name = self.cache, self._fingerprint, self._encoder.name
        if cache is None or not features:
            self.remember(files)
            return dict(features)
        pooled = {content_of(key): own.pooled for key, own in features.items()}
        patches = {
            self._dense_hash(content_of(key)): own.patches
            for key, own in features.items()
            if own.patches is not None
        }
        regions = {
            self._dense_hash(key): own.regions
            for key, own in features.items()
            if own.regions is not None and len(own.regions)
        }
        cache.put("patches", by, name, patches)
        cache.put("regions", by, name, regions)
        cache.put("images", by, name, pooled, files)
        if not self.dense:
            return dict(features)
        pooled |= cache.get("images", by, list(pooled))
        return {k: replace(own, pooled=pooled[content_of(k)]) for k, own in features.items()}

    def _dense_hash(self, key: ImageKey) -> bytes:
        """What patches (by content) and regions (by boxes too) are kept under."""
        return content_hash(self._encoder.dense_version.encode() + key)

    def remember(self, files: Sequence[FileHash]) -> None:
        """Keep the content hashes of files."""
        if self.cache is not None and files:
            self.cache.remember(files)
