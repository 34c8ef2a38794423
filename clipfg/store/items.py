"""What a store knows of each key, in columns."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.errors import StoreError
from clipfg.types import COLUMNS, REQUIRED, ClassList


def as_items(table: pa.Table, rows: int, classes: ClassList | None) -> pa.Table:
    """A table with at least `id, uri, split, label`, in that order and of their types.

    Raises `StoreError` for a missing column, another length than `rows`, an id that occurs twice,
    or a label outside `classes`.
    """
    if table.num_rows != rows:
        raise StoreError(f"Expected an item for each of {rows} keys, got {table.num_rows} items.")
    missing = {"id", "uri"} - set(table.column_names)
    if missing:
        raise StoreError(f"Expected columns id and uri, got none named {missing.pop()!r}.")
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
            raise StoreError(f"Expected {name!r} of every item, got {table[name].null_count} none.")
    if pc.count_distinct(table["id"]).as_py() != len(table):
        counts = pc.value_counts(table["id"].combine_chunks())
        twice = counts.filter(pc.greater(counts.field("counts"), 1))[0].as_py()["values"]
        raise StoreError(f"Expected each id once, got {twice!r} more than once.")
    bounds = pc.min_max(table["label"]).as_py()
    if classes is None and bounds["max"] is not None:
        raise StoreError("Expected the class names that the labels index, got labels alone.")
    count = len(classes) if classes else 0
    if bounds["max"] is not None and not 0 <= bounds["min"] <= bounds["max"] < count:
        raise StoreError(
            f"Expected labels from 0 to {count - 1}, got {bounds['min']} to {bounds['max']}."
        )


def rows_of(table: pa.Table, ids: list[str]) -> NDArray[np.int64]:
    """Where `ids` stand in a table, -1 for those that do not."""
    found = pc.index_in(pa.array(ids, type=pa.string()), value_set=table["id"].combine_chunks())
    return pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)


def appended(
    items: pa.Table, ours: ClassList | None, new: pa.Table, theirs: ClassList | None
) -> tuple[pa.Table, ClassList | None]:
    """Items with new ones behind them, and the class list that all their labels index.

    The labels of the new index `theirs`, or `ours` where that is None. Raises as `as_items`.
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
    """Items with new ones in the place of those that stand at `rows`; see `appended`."""
    new, merged = known_labels(as_items(new, len(rows), theirs or ours), theirs, ours)
    together = pa.concat_tables([items, new], promote_options="default")
    source = np.arange(len(items))
    source[rows] = len(items) + np.arange(len(rows))
    return as_items(together.take(pa.array(source)), len(items), merged), merged


def known_labels(
    items: pa.Table, theirs: ClassList | None, ours: ClassList | None
) -> tuple[pa.Table, ClassList | None]:
    """Items whose labels index `ours`, to which the names that it lacks are appended."""
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
