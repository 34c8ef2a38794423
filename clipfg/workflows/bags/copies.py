"""Bags that are tested on and hold nothing but copies of what is learnt from."""

import numpy as np
from numpy.typing import NDArray

from clipfg.workflows.bags.instances import Instances


def copied(
    found: Instances, learning: NDArray[np.int64], held: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Of the bags at the places `held`, those with every instance in another one of `learning`.

    Equal images have equal features. Single ones may well be in many bags, as background is.
    """
    rows, offsets = found.sets.rows.numpy(), found.sets.offsets.numpy()
    hashes = np.fromiter((hash(row.tobytes()) for row in rows), np.int64, len(rows))
    keys = np.unique(hashes, return_inverse=True)[1]
    bags = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    learnt = np.isin(np.arange(len(offsets) - 1), learning)
    pairs = np.unique(np.stack([keys, bags])[:, learnt[bags]], axis=1)
    others = np.bincount(pairs[0], minlength=len(keys))[keys] - learnt[bags]
    return held[np.minimum.reduceat(others, offsets[:-1])[held] > 0]
