import numpy as np
import pyarrow as pa
import pytest

from clipfg.store import merge
from clipfg.types import ClassList
from tests.store.stores import CLASSES, clustered, make, same, table


def sizes(changes) -> tuple[int, int, int]:
    return len(changes.new), len(changes.changed), len(changes.unchanged)


def test_new_items_are_added_and_changed_ones_updated() -> None:
    store, old = make(20), make(20)
    rows = np.arange(2, 20)
    items, keys = store.items.take(rows), store.keys[rows]
    keys[0] = clustered(1, 16, 77)
    labels = items["label"].to_pylist()
    labels[1] = 2 if labels[1] == 0 else 0
    items = items.set_column(3, "label", pa.array(labels, pa.int32()))
    both = pa.concat_tables([items, table(4, start=500)])
    together = np.concatenate([keys, clustered(4, 16, 78)])
    assert sizes(merge(store, both, together, CLASSES)) == (4, 2, 16)
    assert store.ids == [*old.ids, *table(4, start=500)["id"].to_pylist()]
    np.testing.assert_array_equal(store.keys[:2], old.keys[:2])
    np.testing.assert_array_equal(store.keys[2:], together)
    assert store.items.slice(2).equals(both)
    assert sizes(merge(store, both, together, CLASSES)) == (0, 0, 22)


def test_the_same_labels_in_another_class_list_are_no_change() -> None:
    store = make(9)
    theirs = ClassList(tuple(reversed(CLASSES.names)))
    labels = [None if x is None else 2 - x for x in store.items["label"].to_pylist()]
    items = store.items.set_column(3, "label", pa.array(labels, pa.int32()))
    assert sizes(merge(store, items, store.keys, theirs)) == (0, 0, 9)
    assert same(store, make(9))


@pytest.mark.parametrize(
    ("name", "values", "changed"),
    [
        ("note", ["a", None, "c"], 2),
        ("box", [[0.0, 0, 1, 1], None, None], 1),
    ],
)
def test_new_columns_are_added(name, values, changed) -> None:
    store = make(3)
    items = store.items.append_column(name, pa.array(values))
    assert sizes(merge(store, items, store.keys, CLASSES)) == (0, changed, 3 - changed)
    assert store.items[name].to_pylist() == values
    assert sizes(merge(store, items, store.keys, CLASSES)) == (0, 0, 3)
