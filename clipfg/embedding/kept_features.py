"""The cache as one run sees it: one encoder, and the kinds of features that the run asks for."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clipfg.data.sources import Signature
from clipfg.embedding.cache import EmbeddingCache, FileHash, Vectors
from clipfg.encoders.base import Encoder

Dense = Literal["patches", "regions"]
"""What can be asked for beside the pooled feature."""


class ImageKey(NamedTuple):
    """What an image's features are known by: its content and, for regions, its boxes."""

    content: bytes
    boxes: bytes = b""
    """Float32 `[r, 4]`, little-endian."""

    @property
    def regions(self) -> bytes:
        """The key of its region features."""
        return hashlib.blake2b(self.content + self.boxes, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class ItemFeatures:
    """The features of one image.

    Attributes
    ----------
    pooled
        Unit-norm float32 `[d]`.
    patches
        Float16 `[h, w, d]`, not normalised. Half precision, as they take the place of hundreds of
        pooled features and are only ever averaged or compared: its rounding (a relative 5e-4) is
        far below what bf16 costs. They are rounded before they are handed on, so that results do
        not depend on what was cached.
    regions
        Float32 `[r, d]`, of unit norm or 0 (see `types.Regions`), as precise as `pooled`: they take
        its place as keys and in heads.
    """

    pooled: NDArray[np.float32]
    patches: NDArray[np.float16] | None = None
    regions: NDArray[np.float32] | None = None


class KeptFeatures:
    """Features by image, all kinds that were asked for or none; without a cache, never any.

    Parameters
    ----------
    cache
        Where they are kept, or None.
    encoder
        Whose they are.
    dense
        What is asked for beside the pooled feature.
    """

    def __init__(
        self, cache: EmbeddingCache | None, encoder: Encoder, dense: Collection[Dense] = ()
    ) -> None:
        self.dense = frozenset(dense)
        self._cache = cache
        self._encoder = encoder
        self._fingerprint = encoder.fingerprint

    @property
    def caching(self) -> bool:
        """Whether there is a cache."""
        return self._cache is not None

    def get(self, keys: Iterable[ImageKey]) -> dict[ImageKey, ItemFeatures]:
        """The images of which everything asked for is kept."""
        keys = list(dict.fromkeys(keys))
        cache, by = self._cache, self._fingerprint
        if cache is None or not keys:
            return {}
        pooled = cache.get("images", by, [key.content for key in keys])
        keys = [key for key in keys if key.content in pooled]
        patches: Vectors = {}
        regions: Vectors = {}
        if "patches" in self.dense:
            patches = cache.get("patches", by, [key.content for key in keys])
            keys = [key for key in keys if key.content in patches]
        if "regions" in self.dense:
            none = np.empty((0, self._encoder.dim), dtype=np.float32)
            regions = cache.get("regions", by, [key.regions for key in keys if key.boxes])
            regions |= {key.regions: none for key in keys if not key.boxes}
            keys = [key for key in keys if key.regions in regions]
        return {
            key: ItemFeatures(
                pooled[key.content], patches.get(key.content), regions.get(key.regions)
            )
            for key in keys
        }

    def put(
        self, features: Mapping[ImageKey, ItemFeatures], files: Sequence[FileHash] = ()
    ) -> dict[ImageKey, ItemFeatures]:
        """Keep features and content hashes; returns the features as a later run will find them.

        A pooled feature that was kept already stays: it may differ in its last bits.
        """
        cache, by, name = self._cache, self._fingerprint, self._encoder.name
        if cache is None or not features:
            self.remember(files)
            return dict(features)
        patches = {k.content: f.patches for k, f in features.items() if f.patches is not None}
        regions = {k.regions: f.regions for k, f in features.items() if f.regions is not None}
        cache.put("patches", by, name, patches)
        cache.put("regions", by, name, {key: rows for key, rows in regions.items() if len(rows)})
        cache.put("images", by, name, {k.content: f.pooled for k, f in features.items()}, files)
        if not self.dense:
            return dict(features)
        pooled = cache.get("images", by, [key.content for key in features])
        return {
            key: replace(own, pooled=pooled.get(key.content, own.pooled))
            for key, own in features.items()
        }

    def contents(self, signatures: Mapping[str, Signature]) -> dict[str, bytes]:
        """Content hashes of the files seen before; see `EmbeddingCache.contents`."""
        return self._cache.contents(signatures) if self._cache else {}

    def remember(self, files: Sequence[FileHash]) -> None:
        """Keep the content hashes of files."""
        if self._cache is not None and files:
            self._cache.remember(files)
