"""Images that occur twice: in the support set and in the test set, or twice in one of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError
from clipfg.types import equal_rows
from clipfg.workflows.pool import FeaturePool

NAMED = 5
"""How many images or classes a sentence names."""


def without_leaks(
    support: FeaturePool, test: FeaturePool, same_ids: bool
) -> tuple[NDArray[np.intp], list[str]]:
    """Positions of test images that no support set could have memorised, and what was excluded.

    A test image is excluded when its path or its content is in the support; with `same_ids`, where
    both come from one data set, its id too. Equal content means equal features, bit for bit:
    embeddings are cached by content, so that a copy under another name has the same one. Items of
    a features file have no path but their id.

    Raises `DataError` where no test image is left.
    """
    paths = {uri for id, uri in zip(support.ids, support.uris, strict=True) if uri != id}
    ids = set(support.ids) if same_ids else set()
    both = np.concatenate([support.features.numpy(), test.features.numpy()])
    origins = equal_rows(both)[len(support) :]
    copied = origins < len(support)
    leaks = copied | np.array(
        [id in ids or uri in paths for id, uri in zip(test.ids, test.uris, strict=True)], dtype=bool
    )
    if len(leaks) and leaks.all():
        raise DataError(
            f"Expected test images that are not in the support set, got {len(leaks):,} of which all"
            f" are, by path or by content: {listed(test.ids)}; give other images to test on."
        )
    what = "test images are also in the support set, by path or by content, and"
    rows, remarks = _without(test, leaks, what)
    given = support.labels[np.where(copied, origins, 0)]
    against = copied & (given >= 0) & (test.labels >= 0) & (given != test.labels)
    if against.any():
        named = [test.ids[i] for i in np.flatnonzero(against)]
        remarks.append(
            f"{len(named):,} of these have another label in the support set, one of which is wrong:"
            f" {listed(named)}"
        )
    return rows, remarks


def without_copies(pool: FeaturePool) -> tuple[NDArray[np.intp], list[str]]:
    """Positions of the first image of each content; a copy in another fold gives it away.

    Parts of one picture are in one fold and no copies of one another.
    """
    first = equal_rows(pool.features.numpy())
    copies = first < np.arange(len(pool))
    if pool.groups is not None:
        groups = pool.groups.numpy()
        copies &= groups[first] != groups
    return _without(pool, copies, "images are copies of others and")


def _without(
    pool: FeaturePool, mask: NDArray[np.bool_], what: str
) -> tuple[NDArray[np.intp], list[str]]:
    named = [pool.ids[i] for i in np.flatnonzero(mask)]
    remarks = [f"{len(named):,} {what} are excluded: {listed(named)}"] if named else []
    return np.flatnonzero(~mask), remarks


def listed(names: Sequence[str]) -> str:
    """The first few names, in a sentence."""
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
