"""The items of a store: a table with a row for each key."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clipfg.errors import DataError, StoreError
from clipfg.types import COLUMNS, REQUIRED, ClassList, Regions
from clipfg.types.manifest import check_items


def as_items(table: pa.Table, rows: int, classes: ClassList | None) -> pa.Table:
    """A table that starts with `id, uri, split, label`, with their types.

    Raises `StoreError` for a missing column, another length than `rows`, a duplicate id, or a label
    outside `classes`.
    """
    if table.num_rows != rows:
        raise StoreError(f"Expected {rows} items, one per key, got {table.num_rows}.")
    if missing := {"id", "uri"} - set(table.column_names):
        raise StoreError(f"Expected columns id and uri, got none named {min(missing)!r}.")
    for name in REQUIRED:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(rows, COLUMNS[name]))
    others = [name for name in table.column_names if name not in REQUIRED]
    columns = {name: table[name].cast(COLUMNS[name]) for name in REQUIRED}
    table = pa.table(columns | {name: table[name] for name in others}).combine_chunks()
    for name in ("id", "uri"):
        if nulls := table[name].null_count:
            raise StoreError(f"Expected {name!r} for every item, got {nulls} nulls.")
    if classes is None and table["label"].null_count < rows:
        raise StoreError("Expected class names for the labels, got none.")
    try:
        check_items(table, classes)
    except DataError as error:
        raise StoreError(str(error)) from None
    return table


def combined(
    items: pa.Table,
    ours: ClassList | None,
    new: pa.Table,
    theirs: ClassList | None,
    rows: NDArray[np.int64] | None = None,
) -> tuple[pa.Table, ClassList | None]:
    """Items followed by new ones, or with them in place of those at `rows`; and all class names.

    Labels of the new items index `theirs`, or `ours` where that is None. Raises as `as_items` does.
    """
    count = len(new) if rows is None else len(rows)
    new, merged = known_labels(as_items(new, count, theirs or ours), theirs, ours)
    table = pa.concat_tables([items, new], promote_options="default")
    if rows is not None:
        source = np.arange(len(items))
        source[rows] = len(items) + np.arange(count)
        table = table.take(pa.array(source))
    return as_items(table, len(table), merged), merged


def known_labels(
    items: pa.Table, theirs: ClassList | None, ours: ClassList | None
) -> tuple[pa.Table, ClassList | None]:
    """Items whose labels index `ours`, extended by the names that it lacks."""
    if theirs is None or theirs == ours:
        return items, ours
    if ours is None:
        return items, theirs
    merged = ClassList(
        (*ours.names, *(name for name in theirs.names if name not in ours)),
        {**theirs.parents, **ours.parents},
        {**theirs.texts, **ours.texts},
    )
    places = pa.array([merged.index(name) for name in theirs.names], type=pa.int32())
    column = items.column_names.index("label")
    return items.set_column(column, "label", places.take(items["label"].combine_chunks())), merged


def region_items(items: pa.Table, regions: Regions) -> tuple[pa.Table, NDArray[np.float32]]:
    """An item for each region of some items, and their keys `[r, d]`, for `KeyStore.of` or `add`.

    It has the columns of its item, which `parent` names; `#` and a number from 0 follow in its id,
    `box` is the region's and `caption` its phrase. Regions of which the encoder sees nothing are
    left out, since they have no key.
    """
    lengths = np.diff(regions.offsets)
    owners = np.repeat(np.arange(len(regions)), lengths)
    numbers = np.arange(len(owners)) - np.repeat(regions.offsets[:-1], lengths)
    seen = np.flatnonzero(regions.values.any(axis=1))
    parents = items["id"].take(pa.array(owners[seen]))
    names = zip(parents.to_pylist(), numbers[seen].tolist(), strict=True)
    phrases = [regions.phrases[row] if regions.phrases else None for row in seen]
    own = {
        "id": pa.array([f"{parent}#{number}" for parent, number in names], pa.string()),
        "box": pa.array(list(regions.boxes[seen]), COLUMNS["box"]),
        "caption": pa.array(phrases, COLUMNS["caption"]),
        "parent": parents,
    }
    kept = [name for name in items.column_names if name not in (*own, "regions")]
    table = items.select(kept).take(pa.array(owners[seen]))
    for name, column in own.items():
        table = table.append_column(name, column)
    return table, regions.values[seen]
