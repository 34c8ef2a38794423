"""`--group-by` on the items of a job, and what is refused or said of the groups."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipfg.data.grouping import NEAR_COPIES, grouped_by, with_groups, without_groups
from clipfg.errors import DataError
from clipfg.types import UNLABELLED, Manifest, equal_rows
from clipfg.workflows.dataset import Dataset

if TYPE_CHECKING:
    from clipfg.workflows.pool import FeaturePool

logger = logging.getLogger("clipfg")

NEIGHBOURS = 10


def group_items(data: Dataset, by: str | None, pool: Callable[[Dataset], FeaturePool]) -> Dataset:
    """The items in groups by a column, a regular expression, folder, burst or near-copies.

    None takes groups away, even those that the data have. `pool` embeds items, which near-copies
    alone needs. Raises what `grouped_by` does.
    """
    if by is None:
        return replace(data, manifest=without_groups(data.manifest))
    if by == NEAR_COPIES:
        manifest = with_groups(data.manifest, _near_copies(data.manifest, pool(data)))
    else:
        manifest = grouped_by(data.manifest, by)
    names = manifest.table["group"]
    count = len(set(names.drop_null().to_pylist()))
    single = f"; {names.null_count:,} stand alone" if names.null_count else ""
    logger.info(f"Groups: {count:,} of {len(manifest):,} pictures, by {by}{single}")
    return replace(data, manifest=manifest)


def check_groups(manifest: Manifest) -> None:
    """Raises `DataError` where there is one group alone; says where groups hold several labels."""
    groups, labels = manifest.groups, manifest.labels
    if groups is None or "group" not in manifest.table.column_names:
        return
    if len(manifest) > 1 and len(np.unique(groups)) < 2:
        raise DataError(
            f"Expected several groups by --group-by, all {len(manifest):,} pictures of"
            f" {manifest.name} are in one, {manifest.table['group'][0].as_py()!r}; name what tells"
            " them apart."
        )
    mixed = mixed_groups(groups, labels)
    if len(mixed):
        name = manifest.table["group"][int(np.flatnonzero(groups == mixed[0])[0])].as_py()
        logger.warning(
            f"{len(mixed):,} groups hold several labels, such as {name!r}: right for cameras and"
            " moments, wrong for plants, birds and parts, of which each has one."
        )


def mixed_groups(groups: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the groups whose items have more than one label; unlabelled items do not count."""
    known = labels != UNLABELLED
    pairs = np.unique(np.stack([groups[known], labels[known]]), axis=1)
    numbers, counts = np.unique(pairs[0], return_counts=True)
    return numbers[counts > 1]


def linked(count: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of `count` items, the first one that a chain of pairs links it to."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    parts = connected_components(ends, directed=False)[1]
    start = np.unique(parts, return_index=True)[1]
    return start[parts].astype(np.int64)


def _near_copies(manifest: Manifest, pool: FeaturePool) -> list[str | None]:
    """The id of the first picture of which each is a copy, exact or near; else None."""
    import torch

    from clipfg.embedding.near_copies import find_near_copies
    from clipfg.functional.neighbours import nearest_neighbours

    first = equal_rows(pool.features.numpy())
    pairs = [(a, b) for a, b in enumerate(first.tolist()) if a != b]
    rows = np.flatnonzero(first == np.arange(len(first)))
    if len(rows) > 1:
        x = pool.features[torch.from_numpy(rows)]
        near = find_near_copies(
            [pool.uris[row] for row in rows], *nearest_neighbours(x, NEIGHBOURS)
        )
        pairs += [(rows[a], rows[b]) for a, b, *_ in near]
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    origin = linked(len(pool), ends[:, 0], ends[:, 1])
    many = np.bincount(origin, minlength=len(pool))[origin] > 1
    names = {pool.ids[i]: pool.ids[origin[i]] for i in np.flatnonzero(many)}
    return [names.get(identity) for identity in manifest.ids]
