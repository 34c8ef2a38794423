"""Updating a store from data: which items are new, changed or unchanged."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.store.items import as_items, known_labels
from clipfg.store.key_store import KeyStore
from clipfg.store.searching import BLOCK
from clipfg.types import ClassList, unit_norm


@dataclass(frozen=True)
class StoreChanges:
    """Rows of the items that are new to a store, that differ from it, and that equal it."""

    new: NDArray[np.int64]
    changed: NDArray[np.int64]
    unchanged: NDArray[np.int64]


def compare(
    store: KeyStore, items: pa.Table, keys: NDArray[np.float32], classes: ClassList | None
) -> StoreChanges:
    """How items, whose labels index `classes`, and their keys differ from those of a store."""
    keys = unit_norm(keys)
    named, _ = known_labels(as_items(items, len(keys), classes), classes, store.classes)
    rows = store.rows(items["id"].to_pylist())
    known = np.flatnonzero(rows >= 0)
    differ = np.zeros(len(known), dtype=bool)
    for start in range(0, len(known), BLOCK):
        part = known[start : start + BLOCK]
        differ[start : start + BLOCK] = (store.keys[rows[part]] != keys[part]).any(axis=1)
    for name in named.column_names:
        differ |= _differ(store.items, name, rows[known], named[name].take(pa.array(known)))
    return StoreChanges(np.flatnonzero(rows < 0), known[differ], known[~differ])


def merge(
    store: KeyStore, items: pa.Table, keys: NDArray[np.float32], classes: ClassList | None
) -> StoreChanges:
    """Add items with new ids, and update those whose key or columns differ.

    Raises what `KeyStore.add` and `KeyStore.update` raise.
    """
    changes = compare(store, items, keys, classes)
    changed, new = (items.take(pa.array(rows)) for rows in (changes.changed, changes.new))
    store.update(changed["id"].to_pylist(), keys[changes.changed], changed, classes=classes)
    if len(new):
        store.add(new, keys[changes.new], classes=classes)
    return changes


def _differ(
    held: pa.Table, name: str, rows: NDArray[np.int64], given: pa.ChunkedArray
) -> NDArray[np.bool_]:
    if name not in held.column_names:
        return pc.is_valid(given).to_numpy().astype(bool)
    ours = held[name].take(pa.array(rows))
    try:
        same = pc.fill_null(pc.equal(ours, given), False)
    except pa.ArrowNotImplementedError:  # boxes and regions
        pairs = zip(ours.to_pylist(), given.to_pylist(), strict=True)
        return np.array([a != b for a, b in pairs], dtype=bool)
    both_null = pc.and_(pc.is_null(ours), pc.is_null(given))
    return ~pc.or_(same, both_null).to_numpy().astype(bool)
