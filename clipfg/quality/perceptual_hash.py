"""Perceptual hashes: 64 bits of an image that stay when it is resized, turned grey or saved again.

Source: Krawetz 2013, Kind of Like That (dHash), hackerfactor.com/blog/index.php?/archives/529.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from clipfg.quality.duplicates import DuplicatePairs
from clipfg.quality.image_similarity import Sketch

SIDE = 8
QUARTERS = 4
CLOSE = 2 * QUARTERS - 1
"""Differing bits up to which two images may be one; about 32 of 64 differ by chance. One quarter of
the bits then has at most one error, which makes a search by quarters complete."""
NEIGHBOURS = 10
"""Close hashes of an image that are kept, of each quarter and error."""
CELLS = 4_000_000
"""Hashes compared at once."""

Hashes = NDArray[np.uint64]


def dhash(image: Sketch) -> np.uint64:
    """Whether each of 8 x 8 pixels of a smaller image is brighter than the one before it."""
    small = Image.fromarray(image).resize((SIDE + 1, SIDE), Image.Resampling.BOX)
    grey = np.asarray(small, dtype=np.int16)
    return np.packbits((grey[:, 1:] > grey[:, :-1]).ravel()).view(np.uint64)[0]


def close_pairs(hashes: Hashes, mirrored: Hashes) -> DuplicatePairs:
    """Pairs of images whose hashes `[n]` differ in at most `CLOSE` bits, the closest first.

    `mirrored` are the hashes of the mirror images, one of which may be close to the other's own.
    The similarity of a pair is the share of bits that are equal. Images of more than `NEIGHBOURS`
    others that are close miss some pairs. Time grows with the number of images that share a quarter
    of their bits, not with the square of all.
    """
    n = len(hashes)
    pairs, apart = [np.empty(0, np.int64)], [np.empty(0, np.uint8)]
    for queries in (hashes, mirrored):
        for rows, others in _sharing_a_quarter(queries, hashes):
            bits = np.bitwise_count(queries[rows] ^ hashes[others])
            kept = np.flatnonzero((bits <= CLOSE) & (rows != others))
            kept = kept[np.lexsort((bits[kept], rows[kept]))]
            owners, first = np.unique(rows[kept], return_index=True)
            place = np.arange(len(kept)) - first[np.searchsorted(owners, rows[kept])]
            kept = kept[place < NEIGHBOURS]
            one, other = rows[kept], others[kept]
            pairs.append(np.minimum(one, other) * n + np.maximum(one, other))
            apart.append(bits[kept])
    keys, bits = np.concatenate(pairs), np.concatenate(apart)
    order = np.lexsort((keys, bits))
    _, first = np.unique(keys[order], return_index=True)  # the fewest bits of each pair
    kept = order[np.sort(first)]
    ends = np.divmod(keys[kept], max(n, 1))
    similarity = 1 - bits[kept].astype(np.float32) / SIDE**2
    return DuplicatePairs(*map(torch.from_numpy, (*ends, similarity)))


def _sharing_a_quarter(
    queries: Hashes, hashes: Hashes
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Positions of queries and hashes with a quarter that differs in one bit or in none."""
    own, given = (
        x.view(np.uint16).reshape(-1, QUARTERS).astype(np.int64) for x in (hashes, queries)
    )
    for quarter in range(QUARTERS):
        order = np.argsort(own[:, quarter], kind="stable")
        starts = np.searchsorted(own[order, quarter], np.arange((1 << 16) + 1))
        for error in (0, *(1 << bit for bit in range(16))):
            wanted = given[:, quarter] ^ error
            low, counts = starts[wanted], starts[wanted + 1] - starts[wanted]
            ends = counts.cumsum()
            for start in range(0, int(ends[-1]) if len(ends) else 0, CELLS):
                at = np.arange(start, min(start + CELLS, int(ends[-1])))
                rows = np.searchsorted(ends, at, side="right")
                yield rows, order[low[rows] + at - (ends - counts)[rows]]
