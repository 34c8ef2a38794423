"""When two images count as the same image.

Where there are bytes, equal bytes decide (`content_hash`). Where there are only features, equal
rows decide (`equal_rows`): embeddings are cached by content hash, so a copy of an image under
another name has the same feature, bit for bit.
"""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def content_hash(data: bytes) -> bytes:
    """The BLAKE2b hash of an image or a text, 16 bytes; its embedding is cached under it."""
    return hashlib.blake2b(data, digest_size=16).digest()


def equal_rows(features: NDArray[Any]) -> NDArray[np.int64]:
    """For each row of `[n, d]` the position of the first row that equals it, bit for bit."""
    rows = np.ascontiguousarray(features)
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return first[inverse.ravel()].astype(np.int64)
