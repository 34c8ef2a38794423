"""Searches compared with a plain loop over all keys, ties in the order of ids."""

from collections.abc import Iterator

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipfg.errors import DataError, StoreError
from clipfg.store import KeyStore, searching
from tests.store.stores import brute_force, clustered, found_ids, lattice, make, store_of, table


def check(store: KeyStore, queries: np.ndarray, k: int, where: np.ndarray | None = None) -> None:
    hits = store.search(queries, k, where)
    assert hits.positions.shape == hits.scores.shape == (len(queries), k)
    for row, query in enumerate(queries):
        ids, scores = brute_force(store, query, k, where)
        assert found_ids(store, hits.positions[row]) == ids
        np.testing.assert_array_equal(hits.scores[row, : len(ids)], scores)
        assert (hits.positions[row, len(ids) :] == -1).all()
        assert (hits.scores[row, len(ids) :] == -np.inf).all()


@pytest.fixture(scope="module")
def three_threads() -> Iterator[None]:
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(3)
    yield
    faiss.omp_set_num_threads(before)


@settings(max_examples=60)
@given(
    n=st.integers(1, 120),
    dim=st.integers(4, 12),
    k=st.integers(1, 40),
    queries=st.integers(1, 30),
    share=st.none() | st.floats(0, 1),
    block=st.integers(1, 50),
    part=st.integers(1, 150),
    seed=st.integers(0, 10_000),
)
def test_search_is_brute_force_with_ties_by_id(
    three_threads, n, dim, k, queries, share, block, part, seed
) -> None:
    store = store_of(table(n, seed), lattice(n, dim, seed))
    where = None if share is None else np.random.default_rng(seed).random(n) < share
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "BLOCK", block)
        patch.setattr(searching, "PART", part)
        patch.setattr(searching, "MOST_QUERIES", 12)
        check(store, lattice(queries, dim, seed + 1), k, where)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), k=st.integers(1, 12))
def test_results_depend_on_neither_the_order_of_rows_nor_other_queries(seed, k) -> None:
    n, dim = 300, 48
    keys = clustered(n, dim, seed)
    keys[n // 2 :] = keys[: n // 2]  # every key twice: a tie at each place
    items, queries = table(n, seed), clustered(40, dim, seed + 1)
    order = np.random.default_rng(seed).permutation(n)
    store, shuffled = store_of(items, keys), store_of(items.take(order), keys[order])
    hits, others = store.search(queries, k), shuffled.search(queries, k)
    np.testing.assert_array_equal(hits.scores, others.scores)
    for row in range(len(queries)):
        ids = found_ids(store, hits.positions[row])
        assert ids == found_ids(shuffled, others.positions[row])
        alone = store.search(queries[row : row + 1], k)
        assert ids == found_ids(store, alone.positions[0])
        np.testing.assert_array_equal(alone.scores[0], hits.scores[row])


def test_a_search_restores_faisss_settings() -> None:
    before = faiss.cvar.distance_compute_blas_threshold, faiss.omp_get_max_threads()
    store = store_of(table(20, 0), lattice(20, 8, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "PART", 2)
        store.search(lattice(3, 8, 1), 4)
    assert (faiss.cvar.distance_compute_blas_threshold, faiss.omp_get_max_threads()) == before


def test_one_key_a_thousand_times() -> None:
    n = 1000
    store = store_of(table(n), np.repeat(lattice(1, 16, 0), n, axis=0))
    hits = store.search(lattice(3, 16, 0), 20)
    for row in range(3):
        assert found_ids(store, hits.positions[row]) == sorted(store.ids)[:20]


def test_queries_are_scaled_and_scores_are_cosines() -> None:
    store = make(200, 32)
    queries = 37 * clustered(5, 32, 9)
    unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    hits = store.search(queries, 3)
    best = np.sort(unit @ store.keys.T, axis=1)[:, :-4:-1]
    np.testing.assert_allclose(hits.scores, best, atol=2e-7)


def test_nothing_to_search() -> None:
    store = make(6, 8)
    assert store.search(np.empty((0, 8), np.float32), 3).positions.shape == (0, 3)
    none = store.search(store.keys[:2], 3, np.zeros(6, bool))
    assert (none.positions == -1).all()
    store.remove(store.ids)
    assert (store.search(make(2, 8).keys, 3).positions == -1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"queries": np.ones((1, 7), np.float32)}, r"shape \[q, 8\].*ViT-B-32.*\(1, 7\)"),
        ({"queries": np.ones(8, np.float32)}, r"shape \[q, 8\]"),
        ({"k": 0}, "at least 1, got 0"),
        ({"metric": "l2"}, "metric cosine, got 'l2'"),
        ({"fingerprint": "b" * 64}, "ViT-B-32/openai in fp32.*aaaaaaaaaaaa.*bbbbbbbbbbbb"),
        ({"where": np.ones(5, bool)}, "6 booleans"),
        ({"where": np.arange(6)}, "6 booleans"),
    ],
)
def test_a_query_that_does_not_fit_is_refused(change, message) -> None:
    store = make(6, 8)
    with pytest.raises(StoreError, match=message):
        store.search(**({"queries": store.keys[:1], "k": 1} | change))


def test_a_query_that_is_zero_or_not_finite() -> None:
    store = make(6, 8)
    for value in (0, np.nan):
        with pytest.raises(DataError, match="finite, non-zero"):
            store.search(np.full((1, 8), value, np.float32), 1)


def test_both_encoders_are_named() -> None:
    with pytest.raises(StoreError) as caught:
        make().check_encoder("b" * 64, "hf:google/siglip2-base", "bf16")
    for word in ("open_clip:ViT-B-32/openai in fp32", "hf:google/siglip2-base in bf16"):
        assert word in str(caught.value)
