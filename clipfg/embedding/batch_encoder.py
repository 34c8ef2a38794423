"""Fixed-shape batches through the image tower, kept before they are handed on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from clipfg.embedding.cache import FileHash
from clipfg.embedding.cached_features import CachedFeatures, ImageKey, ItemFeatures, content_of
from clipfg.embedding.encode_locks import EncodeLocks
from clipfg.embedding.image_loader import LoadedImage
from clipfg.embedding.malloc import keep_freed_blocks
from clipfg.encoders.base import Encoder, Pixels, no_patches
from clipfg.errors import ClipfgError
from clipfg.functional.regions import patch_grid
from clipfg.types import unit_norm


class BatchEncoder:
    """Encodes images by content, sharing the work with other runs through `cached` and `locks`.

    Every batch has `shape` images; a smaller one is filled up with black. The encoder's weights
    are loaded with the first.
    """

    def __init__(
        self, encoder: Encoder, shape: int, cached: CachedFeatures, locks: EncodeLocks
    ) -> None:
        keep_freed_blocks()
        self._encoder = encoder
        self._shape = shape
        self._cached = cached
        self._locks = locks

    def encode(
        self, pending: Mapping[ImageKey, LoadedImage], files: Sequence[FileHash]
    ) -> tuple[dict[ImageKey, ItemFeatures], set[ImageKey]]:
        """The features of at most `shape` images, and which of them another run computed.

        An image without features came out of the tower as zero or not finite. What is returned
        has been kept, and the hashes in `files` with it.
        """
        features: dict[ImageKey, ItemFeatures] = {}
        foreign: set[ImageKey] = set()
        left = dict(pending)
        while left:
            with self._locks.take({content_of(key) for key in left}) as mine:
                # Looked up after the claim: whoever held one before has kept its features by now.
                found = self._cached.get(left)
                features |= found
                foreign |= found.keys()
                chosen = {
                    key: image
                    for key, image in left.items()
                    if content_of(key) in mine and key not in found
                }
                features |= self._cached.put(self._compute(chosen), files)
                files = ()
            left = {k: v for k, v in left.items() if k not in found and k not in chosen}
            # Waiting with nothing held, so that two runs cannot wait for each other.
            for key in left:
                self._locks.wait(content_of(key))
        return features, foreign

    def _compute(self, images: Mapping[ImageKey, LoadedImage]) -> dict[ImageKey, ItemFeatures]:
        if not images:
            return {}
        loaded = list(images.values())
        pixels = [image.pixels for image in loaded]
        batch = self._encoder.preprocessing.stack(pixels, self._shape)
        try:
            rows = self._run_tower(batch, [image.boxes for image in loaded])
        except torch.OutOfMemoryError:
            raise ClipfgError(
                f"Out of memory on {self._encoder.device} with a batch of {self._shape} images;"
                f" try --batch-size {max(1, self._shape // 2)} or a smaller model."
            ) from None
        return {key: row for key, row in zip(images, rows, strict=True) if row is not None}

    def _run_tower(self, batch: Pixels, boxes: list[Tensor]) -> list[ItemFeatures | None]:
        """The features of the images of a batch that `boxes` are given for, the first ones."""
        encoder, dense, count = self._encoder, self._cached.dense, len(boxes)
        patches: Sequence[NDArray[Any] | None] = [None] * count
        regions: Sequence[NDArray[Any] | None] = [None] * count
        with torch.inference_mode():
            features = encoder.encode_images(batch, patches=bool(dense))
            if dense and features.patches is None:
                raise no_patches(encoder.name, "its image tower gives none")
            if "regions" in dense:
                filled = boxes + [torch.empty(0, 4)] * (len(batch) - count)
                found = encoder.encode_regions(batch, filled, features=features)
                regions = _split(_unit_norm(torch.cat(found[:count])), found[:count])
        if "patches" in dense and features.patches is not None:
            maps = list(features.patches[:count])
            flat = _split(torch.cat(maps).half().cpu().numpy(), maps)
            grids = (
                patch_grid(len(map_), *image.shape[-2:])
                for map_, image in zip(maps, batch, strict=False)
            )
            patches = [rows.reshape(*grid, -1) for rows, grid in zip(flat, grids, strict=True)]
        rows = zip(_unit_norm(features.pooled[:count]), patches, regions, strict=True)
        return [ItemFeatures(*row) if row[0].any() and _is_finite(row) else None for row in rows]


def _unit_norm(rows: Float[Tensor, "n d"]) -> NDArray[np.float32]:
    """Rows of unit norm; those that are zero or not finite stay as they are."""
    matrix = rows.float().cpu().numpy().copy()
    norms = np.linalg.norm(matrix.astype(np.float64), axis=1)
    good = np.isfinite(norms) & (norms > 0)
    matrix[good] = unit_norm(matrix[good])
    return matrix


def _split(rows: NDArray[Any], parts: Sequence[Tensor]) -> list[NDArray[Any]]:
    """The rows of each part, of those of all of them, which left the device together."""
    return np.split(rows, np.cumsum([len(part) for part in parts])[:-1])


def _is_finite(arrays: Iterable[NDArray[Any] | None]) -> bool:
    return all(array is None or bool(np.isfinite(array).all()) for array in arrays)
