"""Images that are in two places at once: in the support and in the test set, or twice in one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipfg.types import equal_rows
from clipfg.workflows.pool import FeaturePool

NAMED = 5
"""How many images or classes a sentence names."""


def without_leaks(
    support: FeaturePool, test: FeaturePool, same_ids: bool
) -> tuple[NDArray[np.intp], list[str]]:
    """Positions of test images that no support could have learnt by heart, and what was refused.

    A test image is refused when its path or its content is in the support; with `same_ids`,
    where both come from one data set, its id too. Content is told by the feature, bit for bit:
    embeddings are kept by content, so that a copy under another name has the same one.
    """
    paths, ids = set(support.uris), set(support.ids) if same_ids else set()
    both = np.concatenate([support.features.numpy(), test.features.numpy()])
    copied = equal_rows(both)[len(support) :] < len(support)
    leaks = [
        identity in ids or uri in paths or copy
        for identity, uri, copy in zip(test.ids, test.uris, copied.tolist(), strict=True)
    ]
    rows = np.flatnonzero(~np.array(leaks, dtype=bool))
    if len(rows) == len(test):
        return rows, []
    named = [test.ids[i] for i in np.flatnonzero(leaks)]
    return rows, [
        f"{len(named):,} test images are in the support as well, by path or by content, and are"
        f" not counted: {listed(named)}"
    ]


def without_copies(pool: FeaturePool) -> tuple[NDArray[np.intp], list[str]]:
    """Positions of the first image of each content, and which others are left out.

    A copy in another fold would give the answer away.
    """
    rows = np.flatnonzero(equal_rows(pool.features.numpy()) == np.arange(len(pool)))
    if len(rows) == len(pool):
        return rows, []
    named = [pool.ids[i] for i in np.setdiff1d(np.arange(len(pool)), rows)]
    return rows, [f"{len(named):,} images are copies of others and left out: {listed(named)}"]


def listed(names: Sequence[str]) -> str:
    """The first few, in a sentence."""
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
