"""Images that are in two places at once: in the support and in the test set, or twice in one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
    paths, contents = set(support.uris), set(_contents(support))
    ids = set(support.ids) if same_ids else set()
    leaks = [
        identity in ids or uri in paths or content in contents
        for identity, uri, content in zip(test.ids, test.uris, _contents(test), strict=True)
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
    _, first = np.unique(np.array(_contents(pool), dtype=object), return_index=True)
    rows = np.sort(first)
    if len(rows) == len(pool):
        return rows, []
    named = [pool.ids[i] for i in np.setdiff1d(np.arange(len(pool)), rows)]
    return rows, [f"{len(named):,} images are copies of others and left out: {listed(named)}"]


def listed(names: Sequence[str]) -> str:
    """The first few, in a sentence."""
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _contents(pool: FeaturePool) -> list[bytes]:
    return [row.tobytes() for row in pool.features.numpy()]
