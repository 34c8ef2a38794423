"""Nearest keys: FAISS finds candidates in bulk, and each candidate is then scored on its own.

A matrix product rounds a score depending on the position of its key in the matrix, so equal keys
may get different scores and ties fall either way. Here the few candidates of each query are scored
again, pair by pair in one fixed order: equal keys get equal scores, and ties are broken by id.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from clipfg.store.gpu import MOST_WIDTH

Matrix = NDArray[np.float32]
Positions = NDArray[np.int64]
Proposals = tuple[Matrix, Positions]
Propose = Callable[[Matrix, int], Proposals]
Names = Callable[[Positions], list[str]]
"""From positions of keys to their ids."""

NOTHING = -1
SPARE = 2
"""Candidates beyond k, so that a tie at the k-th place is noticed."""
FEW = 8192
"""Below so many pairs, starting other threads costs more than scoring."""
PRODUCT_FROM = 2048
"""Queries times width from which one matrix product is faster than one query after another.

The default of FAISS 1.15 is 128,000; below that it reads all keys once for each query."""
PART = 32_768
"""Keys per thread at least, since starting one takes a millisecond or two."""
MOST_QUERIES = 2048
"""Queries searched at once; more would only take more memory."""
BLOCK = 16_384
"""Keys copied at once where only some of them are searched: 32 MiB at width 512."""


@dataclass(frozen=True)
class Hits:
    """The nearest keys of each query, best first; ties in the order of their ids."""

    positions: Positions
    """Rows of the store `[q, k]`, -1 where there are fewer than k keys."""
    scores: Matrix
    """Their cosines `[q, k]`, minus infinity where there is no key."""

    def __len__(self) -> int:
        return len(self.positions)


def search_all(
    queries: Matrix,
    keys: Matrix,
    k: int,
    names: Names,
    rows: Positions | None = None,
    propose: Propose | None = None,
) -> Hits:
    """The k nearest of all keys, or of those at `rows`; exact, ties at the k-th place included.

    `propose` finds candidates among all keys by brute force elsewhere, such as on a GPU.
    """
    if len(queries) > MOST_QUERIES:
        starts = range(0, len(queries), MOST_QUERIES)
        parts = [queries[start : start + MOST_QUERIES] for start in starts]
        return _joined([search_all(part, keys, k, names, rows, propose) for part in parts])
    count = len(keys) if rows is None else len(rows)
    most = min(k, count)
    if most == 0 or len(queries) == 0:
        return settle(queries, keys, np.empty((len(queries), 0), np.int64), k, names)
    width = min(most + SPARE, count)
    if propose is not None and width <= MOST_WIDTH:
        rough, found = propose(queries, width)
    else:
        rough, found = _propose(queries, keys, width, rows)
    hits = settle(queries, keys, found, k, names)
    if width < count:
        # Another key than the candidates may score as high as the k-th.
        least = hits.scores[:, most - 1] - slack(keys.shape[1])
        unsure = np.flatnonzero(rough[:, -1] >= least)
        if unsure.size:
            again = _rescan(queries[unsure], keys, k, names, least[unsure], rows)
            hits.positions[unsure], hits.scores[unsure] = again.positions, again.scores
    return hits


def slack(dim: int) -> float:
    """A bound on the difference between two float32 inner products of the same unit vectors.

    Rounding errors of a sum of d products add up as a random walk, to a few sqrt(d) units in the
    last place; four standard deviations on either side are practically never exceeded.
    """
    return float(2 * 4 * np.sqrt(dim) * 2**-24)


def settle(queries: Matrix, keys: Matrix, found: Positions, k: int, names: Names) -> Hits:
    """The best k of the candidates `[q, m]`, scored pair by pair, in order, padded with -1."""
    scores = _pairwise(queries, keys, found)
    order = np.argsort(-scores, axis=1, kind="stable")
    scores = np.take_along_axis(scores, order, axis=1)
    found = np.take_along_axis(found, order, axis=1)
    equal = (scores[:, 1:] == scores[:, :-1]) & (found[:, 1:] != NOTHING)
    for row in np.flatnonzero(equal.any(axis=1)):
        real = int((found[row] != NOTHING).sum())
        ids = names(found[row, :real])
        ranked = sorted(range(real), key=lambda i: (-scores[row, i], ids[i]))
        found[row, :real] = found[row, ranked]
    missing = ((0, 0), (0, max(0, k - found.shape[1])))
    return Hits(
        np.pad(found[:, :k], missing, constant_values=NOTHING),
        np.pad(scores[:, :k], missing, constant_values=-np.inf),
    )


def _joined(parts: list[Hits]) -> Hits:
    return Hits(
        np.concatenate([hits.positions for hits in parts]),
        np.concatenate([hits.scores for hits in parts]),
    )


def _pairwise(queries: Matrix, keys: Matrix, found: Positions) -> Matrix:
    """The inner product of each query and each of its candidates; minus infinity for -1."""
    scores = np.empty(found.shape, dtype=np.float32)
    found = np.ascontiguousarray(found)
    threads = faiss.omp_get_max_threads()
    if found.size < FEW:
        faiss.omp_set_num_threads(1)  # for this thread only
    try:
        faiss.fvec_inner_products_by_idx(  # type: ignore[attr-defined]
            *(faiss.swig_ptr(array) for array in (scores, queries, keys, found)),
            keys.shape[1],
            *found.shape,
        )
    finally:
        faiss.omp_set_num_threads(threads)
    return scores


def _propose(queries: Matrix, keys: Matrix, width: int, rows: Positions | None) -> Proposals:
    """The `width` nearest keys of each query, with scores as a matrix product rounds them.

    Each thread searches its own part of the keys for all queries. FAISS's own threads share one
    tile at a time and wait for each other after it, and for a single query there is only one.
    """
    count = len(keys) if rows is None else len(rows)
    threads = max(1, min(faiss.omp_get_max_threads(), count // PART))
    size = -(-count // threads)
    size = size if rows is None else min(size, BLOCK)

    def part(start: int) -> Proposals:
        own = _block(keys, rows, start, size)
        rough, at = faiss.knn(queries, own, min(width, len(own)), metric=faiss.METRIC_INNER_PRODUCT)
        return rough, start + at if rows is None else rows[start + at]

    before = faiss.cvar.distance_compute_blas_threshold
    faiss.cvar.distance_compute_blas_threshold = min(before, PRODUCT_FROM)
    try:
        if threads == 1:
            parts = [part(start) for start in range(0, count, size)]
        else:
            # The number of threads of FAISS is set for the calling thread only.
            with ThreadPoolExecutor(threads, "", faiss.omp_set_num_threads, (1,)) as pool:
                parts = list(pool.map(part, range(0, count, size)))
    finally:
        faiss.cvar.distance_compute_blas_threshold = before
    if len(parts) == 1:
        return parts[0]
    rough, found = (np.concatenate(each, axis=1) for each in zip(*parts, strict=True))
    best = np.argsort(-rough, axis=1, kind="stable")[:, :width]
    return np.take_along_axis(rough, best, axis=1), np.take_along_axis(found, best, axis=1)


def _rescan(
    queries: Matrix, keys: Matrix, k: int, names: Names, least: Matrix, rows: Positions | None
) -> Hits:
    """Search all keys again, with every key that may score as high as the k-th as a candidate."""
    candidates: list[list[Positions]] = [[] for _ in queries]
    for start in range(0, len(keys) if rows is None else len(rows), BLOCK):
        above = queries @ _block(keys, rows, start, BLOCK).T >= least[:, None]
        for row in np.flatnonzero(above.any(axis=1)):
            place = start + np.flatnonzero(above[row])
            candidates[row].append(place if rows is None else rows[place])
    return _joined(
        [
            settle(queries[row : row + 1], keys, np.concatenate(parts)[None], k, names)
            for row, parts in enumerate(candidates)
        ]
    )


def _block(keys: Matrix, rows: Positions | None, start: int, size: int) -> Matrix:
    """Some of the keys, read in place, or of those at `rows`, which have to be copied."""
    part = slice(start, start + size)
    return keys[part] if rows is None else keys[rows[part]]
