"""Fixed-shape batches through the image tower, kept before they are handed on."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from clipfg.data.sources import Signature
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.encode_locks import EncodeLocks
from clipfg.embedding.image_loader import Vector
from clipfg.embedding.malloc import keep_freed_blocks
from clipfg.encoders.base import Encoder
from clipfg.errors import ClipfgError
from clipfg.types import unit_norm

Pixels = UInt8[Tensor, "3 h w"]
Known = list[tuple[str, Signature, bytes]]


def batch_shape(items: int, batch_size: int) -> int:
    """The number of images in every batch of a run over `items`: even, at most `batch_size`.

    It depends on the items asked for and never on how many are cached, so that a resumed run
    computes in the same shapes, and hence the same bits, as one that was not interrupted.
    """
    batches = max(1, -(-items // batch_size))
    return max(1, -(-items // batches))


class BatchEncoder:
    """Encodes images by content, sharing the work with other runs through the cache.

    Parameters
    ----------
    encoder
        Its weights are loaded with the first batch.
    shape
        Images in each batch; a smaller one is filled up with black.
    cache
        Where vectors are kept, or None.
    """

    def __init__(self, encoder: Encoder, shape: int, cache: EmbeddingCache | None) -> None:
        keep_freed_blocks()
        self._encoder = encoder
        self._fingerprint = encoder.fingerprint
        self._shape = shape
        self._cache = cache
        shared = cache.path.with_name("locks") if cache and cache.writable else None
        self._locks = EncodeLocks(shared, self._fingerprint)

    def encode(
        self, pending: Mapping[bytes, Pixels], files: Known
    ) -> tuple[dict[bytes, Vector], set[bytes]]:
        """Unit-norm vectors of at most `shape` images, and which of them another run made.

        A content without a vector came out of the tower as zero or not finite. What is returned
        has been kept, and the hashes in `files` with it.
        """
        vectors: dict[bytes, Vector] = {}
        foreign: set[bytes] = set()
        left = dict(pending)
        while left:
            with self._locks.take(left) as mine:
                # Looked up after the claim: whoever held one before has kept its vector by now.
                found = self._kept(list(left))
                vectors |= found
                foreign |= found.keys()
                chosen = {c: p for c, p in left.items() if c in mine and c not in found}
                fresh = self._compute(chosen)
                if self._cache is not None:
                    self._cache.put("images", self._fingerprint, self._encoder.name, fresh, files)
                    files = []
            vectors |= fresh
            left = {c: p for c, p in left.items() if c not in found and c not in chosen}
            # Waiting with nothing held, so two runs cannot wait for each other.
            for content in left:
                self._locks.wait(content)
        return vectors, foreign

    def close(self) -> None:
        """Drop the claims' file."""
        self._locks.close()

    def _kept(self, contents: list[bytes]) -> dict[bytes, Vector]:
        return self._cache.get("images", self._fingerprint, contents) if self._cache else {}

    def _compute(self, images: Mapping[bytes, Pixels]) -> dict[bytes, Vector]:
        if not images:
            return {}
        first = next(iter(images.values()))
        batch = first.new_zeros((self._shape, *first.shape))
        for place, pixels in enumerate(images.values()):
            batch[place] = pixels
        try:
            with torch.inference_mode():
                pooled = self._encoder.encode_images(batch).pooled[: len(images)]
        except torch.OutOfMemoryError:
            raise ClipfgError(
                f"Expected room on {self._encoder.device} for a batch of {self._shape} images,"
                f" got none; try --batch-size {max(1, self._shape // 2)} or a smaller model."
            ) from None
        rows = pooled.float().cpu().numpy()
        norms = np.linalg.norm(rows.astype(np.float64), axis=1)
        good = np.isfinite(norms) & (norms > 0)
        vectors = iter(unit_norm(rows[good]))
        return {c: next(vectors) for c, ok in zip(images, good, strict=True) if ok}
