"""A store after any sequence of changes, compared with a dictionary."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipfg.errors import DataError, StoreError
from clipfg.store import KeyStore
from clipfg.types import ClassList
from tests.store.stores import CLASSES, clustered, make, same, store_of, table

DIM = 8
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "update", "remove"]), st.sets(st.integers(0, 30))),
    max_size=12,
)


@settings(max_examples=40)
@given(steps=STEPS)
def test_a_store_is_a_dictionary_from_ids_to_keys(steps) -> None:
    store = store_of(table(0), np.empty((0, DIM), np.float32))
    held: dict[str, np.ndarray] = {}
    for number, (step, picked) in enumerate(steps):
        names = [f"{i}.jpg" for i in sorted(picked)]
        known = [name for name in names if name in held]
        new = [name for name in names if name not in held]
        keys = clustered(len(names), DIM, number)
        if step == "add":
            store.add(pa.table({"id": new, "uri": new}), keys[: len(new)])
            held |= dict(zip(new, keys, strict=False))
        elif step == "update":
            store.update(known, keys[: len(known)])
            held |= dict(zip(known, keys, strict=False))
        else:
            store.remove(known)
            held = {name: key for name, key in held.items() if name not in known}
    assert store.ids == list(held)
    assert store.uris == list(held)
    for name, key in zip(store.ids, store.keys, strict=True):
        np.testing.assert_array_equal(key, held[name])


@settings(max_examples=10)
@given(n=st.integers(0, 60), dim=st.integers(1, 40), seed=st.integers(0, 99))
def test_save_and_load_are_exact(n, dim, seed, tmp_path_factory) -> None:
    store = make(n, dim, seed)
    path = tmp_path_factory.mktemp("store")
    store.save(path)
    again = KeyStore.load(path)
    assert same(store, again)
    again.save(path)
    assert same(store, KeyStore.load(path))


def test_keys_are_mapped_and_never_written_to(tmp_path) -> None:
    store = make(20)
    store.save(tmp_path)
    loaded = KeyStore.load(tmp_path)
    assert isinstance(loaded.keys.base, np.memmap)
    assert not loaded.keys.flags.writeable
    loaded.update(loaded.ids[:3], clustered(3, loaded.dim, 7))
    assert same(store, KeyStore.load(tmp_path))


def test_class_lists_grow_together() -> None:
    store = make(6)
    theirs = ClassList(("wren", "magpie"), parents={"magpie": "Corvidae"})
    items = pa.table({"id": ["x", "y"], "uri": ["x", "y"], "label": [1, 0]})
    store.add(items, clustered(2, 16, 5), classes=theirs)
    assert store.classes == ClassList((*CLASSES.names, "magpie"), {"magpie": "Corvidae"})
    assert [store.classes.names[i] for i in store.labels[-2:]] == ["magpie", "wren"]


def test_columns_of_either_side_are_kept() -> None:
    store = make(3)
    items = pa.table({"id": ["x"], "uri": ["x"], "note": ["a wren"]})
    store.add(items, clustered(1, 16, 5))
    assert store.items["note"].to_pylist() == [None, None, None, "a wren"]
    assert store.items.column_names[:4] == ["id", "uri", "split", "label"]


def test_an_update_may_replace_columns() -> None:
    store = make(5)
    old, name = store.items.to_pylist(), store.ids[2]
    items = pa.table({"id": [name], "uri": ["/moved"], "split": ["val"], "label": [0]})
    store.update([name], store.keys[2:3], items, classes=ClassList(("magpie",)))
    rows = store.items.to_pylist()
    assert rows[2] == {"id": name, "uri": "/moved", "split": "val", "label": 3}
    assert [*rows[:2], *rows[3:]] == [*old[:2], *old[3:]]


def bad(**columns):
    return pa.table({"id": ["a", "b"], "uri": ["a", "b"]} | columns)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (bad(id=["a", "a"]), "unique ids, got 'a'"),
        (bad(id=["a", None]), "'id' for every item"),
        (bad(label=[0, 3]), "labels from 0 to 2, got 0 to 3"),
        (bad(label=[0, -1]), "labels from 0 to 2, got -1"),
        (pa.table({"id": ["a", "b"]}), "got none named 'uri'"),
        (bad().slice(0, 1), "2 items, one per key, got 1"),
    ],
)
def test_items_that_do_not_fit_are_refused(items, message) -> None:
    with pytest.raises(StoreError, match=message):
        store_of(items, clustered(2, 4, 0))


def test_changes_that_do_not_fit_change_nothing() -> None:
    store = make(5)
    before = store_of(store.items, store.keys, model=store.model, precision="fp32")
    before.fingerprint = store.fingerprint
    key = clustered(1, 16, 3)
    new = pa.table({"id": ["new"], "uri": ["new"]})
    known = pa.table({"id": store.ids[:1], "uri": ["u"]})
    for change, message in (
        (lambda: store.add(known, key), "unique ids"),
        (lambda: store.add(new, key[:, :8]), r"shape \[q, 16\]"),
        (lambda: store.update(["00001.jpgg"], key), "Did you mean '00001.jpg'"),
        (lambda: store.update(store.ids[:2], key), "each of 2 ids, got 1"),
        (lambda: store.remove([store.ids[0], "none"]), "got 'none'"),
    ):
        with pytest.raises(StoreError, match=message):
            change()
    with pytest.raises(DataError, match="finite, non-zero"):
        store.update(store.ids[:1], 0 * key)
    assert same(store, before)


def test_labels_need_names() -> None:
    with pytest.raises(StoreError, match="class names for the labels"):
        KeyStore.of(bad(label=[0, 1]), clustered(2, 4, 0))


def test_a_taxonomys_levels_come_back(tmp_path) -> None:
    classes = ClassList(("robin", "wren"), {"robin": "Erithacus"}, levels=("genus",))
    KeyStore.of(bad(label=[0, 1]), clustered(2, 4, 0), classes=classes).save(tmp_path)
    assert KeyStore.load(tmp_path).classes == classes
