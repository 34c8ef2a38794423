"""The items of a store: a table with a row for each key."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.errors import StoreError
from clipfg.types import COLUMNS, REQUIRED, ClassList, Regions


def as_items(table: pa.Table, rows: int, classes: ClassList | None) -> pa.Table:
    """A table that starts with `id, uri, split, label`, with their types.

    Raises `StoreError` for a missing column, another length than `rows`, a duplicate id, or a label
    outside `classes`.
    """
    if table.num_rows != rows:
        raise StoreError(f"Expected {rows} items, one per key, got {table.num_rows}.")
    missing = {"id", "uri"} - set(table.column_names)
    if missing:
        raise StoreError(f"Expected columns id and uri, got none named {min(missing)!r}.")
    for name in REQUIRED:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(rows, COLUMNS[name]))
    others = [name for name in table.column_names if name not in REQUIRED]
    columns = {name: table[name].cast(COLUMNS[name]) for name in REQUIRED}
    table = pa.table(columns | {name: table[name] for name in others}).combine_chunks()
    _check(table, classes)
    return table


def _check(table: pa.Table, classes: ClassList | None) -> None:
    for name in ("id", "uri"):
        if table[name].null_count:
            raise StoreError(
                f"Expected {name!r} for every item, got {table[name].null_count} nulls."
            )
    if pc.count_distinct(table["id"]).as_py() != len(table):
        counts = pc.value_counts(table["id"].combine_chunks())
        twice = counts.filter(pc.greater(counts.field("counts"), 1))[0].as_py()["values"]
        raise StoreError(f"Expected unique ids, got {twice!r} more than once.")
    bounds = pc.min_max(table["label"]).as_py()
    if classes is None and bounds["max"] is not None:
        raise StoreError("Expected class names for the labels, got none.")
    count = len(classes) if classes else 0
    if bounds["max"] is not None and not 0 <= bounds["min"] <= bounds["max"] < count:
        raise StoreError(
            f"Expected labels from 0 to {count - 1}, got {bounds['min']} to {bounds['max']}."
        )


def rows_of(table: pa.Table, ids: list[str]) -> NDArray[np.int64]:
    """The rows of `ids` in a table, -1 for those that are not in it."""
    found = pc.index_in(pa.array(ids, type=pa.string()), value_set=table["id"].combine_chunks())
    return pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)


def appended(
    items: pa.Table, ours: ClassList | None, new: pa.Table, theirs: ClassList | None
) -> tuple[pa.Table, ClassList | None]:
    """Items followed by new ones, and the class list that all labels index.

    Labels of the new items index `theirs`, or `ours` where that is None. Raises as `as_items` does.
    """
    new, merged = known_labels(as_items(new, len(new), theirs or ours), theirs, ours)
    together = pa.concat_tables([items, new], promote_options="default")
    return as_items(together, len(together), merged), merged


def replaced(
    items: pa.Table,
    ours: ClassList | None,
    rows: NDArray[np.int64],
    new: pa.Table,
    theirs: ClassList | None,
) -> tuple[pa.Table, ClassList | None]:
    """Items with new ones in place of those at `rows`; see `appended`."""
    new, merged = known_labels(as_items(new, len(rows), theirs or ours), theirs, ours)
    together = pa.concat_tables([items, new], promote_options="default")
    source = np.arange(len(items))
    source[rows] = len(items) + np.arange(len(rows))
    return as_items(together.take(pa.array(source)), len(items), merged), merged


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
    replaced_columns = {
        "id": pa.array([f"{parent}#{number}" for parent, number in names], pa.string()),
        "box": pa.array(list(regions.boxes[seen]), COLUMNS["box"]),
        "caption": pa.array(phrases, COLUMNS["caption"]),
        "parent": parents,
    }
    kept = [name for name in items.column_names if name not in (*replaced_columns, "regions")]
    table = items.select(kept).take(pa.array(owners[seen]))
    for name, column in replaced_columns.items():
        table = table.append_column(name, column)
    return table, regions.values[seen]
