"""Indexes other than Flat, and GPU indexes as stand-ins."""

import logging

import faiss
import numpy as np
import pytest

from clipfg.errors import StoreError, UsageError
from clipfg.store import KeyStore, verify
from clipfg.store import index as indexes
from tests.store.stores import brute_force, clustered, found_ids, make, store_of, table

FACTORIES = ["IVF16,Flat", "HNSW16", "IVF8,PQ8x4", "PQ8x4", "SQ8", "IVF8,SQ8,RFlat"]


def recall(store: KeyStore, queries: np.ndarray, k: int = 10) -> float:
    exact = store_of(store.items, store.keys).search(queries, k)
    hits = store.search(queries, k)
    return float(
        np.mean([np.isin(*r).mean() for r in zip(exact.positions, hits.positions, strict=True)])
    )


@pytest.mark.parametrize("factory", FACTORIES)
def test_recall_is_measured_kept_and_true(factory, tmp_path) -> None:
    n, dim = 3000, 32
    keys = clustered(n + 300, dim, 1)
    store = store_of(table(n), keys[:n], factory=factory, seed=3)
    store.save(tmp_path / "store")
    assert store.index.recall is not None
    assert store.index.recall >= 0.8
    fresh = recall(store, keys[n:])  # unseen queries of the same kind
    assert abs(fresh - store.index.recall) < 0.06
    again = KeyStore.load(tmp_path / "store")
    assert (again.index.recall, again.index.effort, again.index.factory) == (
        store.index.recall,
        store.index.effort,
        factory,
    )
    a, b = store.search(keys[n:], 10), again.search(keys[n:], 10)
    np.testing.assert_array_equal(a.positions, b.positions)
    np.testing.assert_array_equal(a.scores, b.scores)
    scores = np.take_along_axis(keys[n:] @ store.keys.T, a.positions, axis=1)
    np.testing.assert_allclose(a.scores, scores, atol=1e-6)  # of the keys, not of their codes
    assert verify(tmp_path / "store") == []


def test_effort_rises_until_recall_is_enough() -> None:
    store = make(3000, 32, factory="IVF64,Flat")
    store.search(store.keys[:1], 1)
    assert store.index.recall >= indexes.ENOUGH
    effort = int(store.index.effort.removeprefix("nprobe="))
    assert 1 < effort <= 64


@pytest.mark.parametrize("factory", FACTORIES)
def test_a_condition_is_exact_whatever_the_index(factory) -> None:
    store = make(1500, 16, factory=factory)
    where = np.zeros(len(store), bool)
    where[::500] = True
    for query in store.keys[:5]:
        ids, _ = brute_force(store, query, 10, where)
        assert found_ids(store, store.search(query[None], 10, where).positions[0]) == ids


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("loaded", [True, False])
def test_changes_reach_the_index(factory, loaded, tmp_path) -> None:
    store = make(1500, 16, factory=factory)
    if loaded:
        store.save(tmp_path / "store")
        store = KeyStore.load(tmp_path / "store")
    store.search(store.keys[:1], 1)
    new = clustered(20, 16, 99)
    store.add(table(20, start=90_000), new)
    gone = store.ids[:100]
    if factory != "HNSW16":
        store.remove(gone)
    moved = clustered(1, 16, 123)
    store.update([store.ids[7]], moved)
    for query in (*new[:5], moved[0]):
        best = store.search(query[None], 1)
        np.testing.assert_array_equal(store.keys[best.positions[0, 0]], query)
    store.save(tmp_path / "store")
    assert verify(tmp_path / "store") == []


def test_the_index_is_built_again_when_its_file_was_deleted(tmp_path) -> None:
    store = make(1500, 16, factory="IVF16,Flat")
    store.save(tmp_path / "store")
    reader = KeyStore.load(tmp_path / "store")
    store.save(tmp_path / "store")
    assert reader.search(reader.keys[:3], 1).positions.tolist() == [[0], [1], [2]]  # still mapped
    reader.remove(reader.ids[:10])
    assert reader.search(reader.keys[:3], 1).positions.tolist() == [[0], [1], [2]]


@pytest.mark.parametrize("factory", ["IVF16,Flut", "no such", "PQ7"])
def test_a_factory_that_does_not_exist(factory) -> None:
    store = make(100, 16, factory=factory)
    with pytest.raises(UsageError, match="FAISS factory such as"):
        store.search(store.keys[:1], 1)


def test_too_few_keys_to_train_on(tmp_path) -> None:
    store = make(20, 16, factory="IVF64,Flat")
    with pytest.raises(UsageError, match="enough keys to train"):
        store.save(tmp_path / "store")
    assert not (tmp_path / "store" / "store.json").exists()


class Card:
    """A GPU index: no removal, no update, and at most 2048 neighbours."""

    def __init__(self, index) -> None:
        self.index, self.calls = index, []

    def reset(self) -> None:
        self.calls.append("reset")
        self.index.reset()

    def add(self, keys) -> None:
        self.calls.append("add")
        self.index.add(keys)

    def search(self, queries, k):
        assert k <= 2048
        self.calls.append("search")
        return self.index.search(queries, k)


@pytest.fixture
def cards(monkeypatch) -> list[Card]:
    made: list[Card] = []

    def to_gpu(*args):
        index = args[0] if len(args) == 2 else args[2]
        made.append(Card(faiss.clone_index(index)))
        return made[-1]

    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    monkeypatch.setattr(faiss, "index_cpu_to_gpu", to_gpu, raising=False)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", to_gpu, raising=False)
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1, raising=False)
    return made


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("factory", ["Flat", "IVF16,Flat"])
def test_a_gpu_answers_as_the_cpu_does(cards, factory, count, monkeypatch) -> None:
    options = []
    monkeypatch.setattr(
        faiss,
        "GpuMultipleClonerOptions",
        lambda: options.append(type("Options", (), {})()) or options[-1],
        raising=False,
    )
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: count)
    store, plain = (make(1500, 16, factory=factory) for _ in range(2))
    plain.index.device = "cpu"
    queries = clustered(30, 16, 5)
    np.testing.assert_array_equal(
        store.search(queries, 7).positions, plain.search(queries, 7).positions
    )
    assert cards[0].calls == ["reset", "add", "search"]
    assert all(x.shard for x in options)
    assert len(options) == (count > 1)
    for changed in (store, plain):
        changed.remove(changed.ids[:50])
    np.testing.assert_array_equal(
        store.search(queries, 7).positions, plain.search(queries, 7).positions
    )
    assert len(cards) == 2  # filled again from the keys
    store.search(queries, 2048)  # more than a GPU looks for
    assert len(cards) == 2


def test_an_index_that_no_gpu_supports_stays_on_the_cpu(cards, monkeypatch, caplog) -> None:
    def refuse(*args):
        raise RuntimeError("This index type is not implemented on GPU")

    monkeypatch.setattr(faiss, "index_cpu_to_gpu", refuse)
    store = make(1500, 16, factory="HNSW16")
    with caplog.at_level(logging.INFO, logger="clipfg"):
        store.search(store.keys[:1], 1)
        store.search(store.keys[:1], 1)
    assert caplog.text.count("stays on the CPU") == 1


def test_a_damaged_index_is_reported(tmp_path) -> None:
    store = make(1500, 16, factory="IVF16,Flat")
    store.save(tmp_path)
    file = next(tmp_path.glob("index-*"))
    file.write_bytes(b"x" * file.stat().st_size)
    with pytest.raises(StoreError, match="its content has changed"):
        KeyStore.load(tmp_path)


@pytest.mark.parametrize("factory", ["PQ8x4", "OPQ8,PQ8x4", "IVF4,PQ8x4", "PQ8x4,RFlat"])
def test_product_quantisers_skip_polysemous_training(factory) -> None:
    keys = clustered(600, 16, seed=0)
    plain, ours = (
        faiss.index_factory(16, factory, faiss.METRIC_INNER_PRODUCT),
        indexes._make(factory, 16),
    )
    for index in (plain, ours):
        index.train(keys)
        index.add(keys)
    expected, got = plain.search(keys[:50], 10)[0], ours.search(keys[:50], 10)[0]
    np.testing.assert_allclose(got, expected, atol=1e-5)
    inner = faiss.downcast_index(ours.base_index if "RFlat" in factory else ours)
    inner = faiss.downcast_index(inner.index) if "OPQ" in factory else inner
    assert not inner.do_polysemous_training


@pytest.mark.parametrize(
    "factory",
    [
        *("IVF99999999,Flat", "IVF4097,Flat", "IVF" + "9" * 5000, "IMI2x12,Flat", "PQ8x24"),
        "Pad99999999,Flat",
    ],
)
def test_an_index_of_a_size_that_keys_cannot_fill_is_refused(factory: str, monkeypatch) -> None:
    monkeypatch.setattr(indexes, "_make", lambda *_: pytest.fail("FAISS was asked to allocate it"))
    store = make(300, 16, factory=factory)
    with pytest.raises(UsageError, match=r"300 keys can fill, got .*; try Flat"):
        store.search(store.keys[:1], 1)


@pytest.mark.parametrize("factory", ["IVF16,Flat", "HNSW8"])
@pytest.mark.parametrize("k", [1, 300, 320, 400])
def test_as_many_hits_as_are_wanted_are_found(factory: str, k: int) -> None:
    store = make(320, 16, factory=factory)
    hits = store.search(store.keys[:7], k)
    assert ((hits.positions >= 0).sum(axis=1) == min(k, 320)).all()
    if k >= 300:
        exact = make(320, 16).search(store.keys[:7], k)
        np.testing.assert_array_equal(hits.scores, exact.scores)
