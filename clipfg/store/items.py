"""The items of a store: a table with a row for each key."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.errors import DataError, StoreError
from clipfg.types import COLUMNS, REQUIRED, ClassList
from clipfg.types.manifest import check_items


def as_items(table: pa.Table, rows: int, classes: ClassList | None) -> pa.Table:
    """A table that starts with `id, uri, split, label`, with their types.

    Raises `StoreError` for a missing column, another length than `rows`, a duplicate id, a label
    outside `classes`, and a box that is not finite.
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
    check_boxes(table)
    if classes is None and table["label"].null_count < rows:
        raise StoreError("Expected class names for the labels, got none.")
    try:
        check_items(table, classes)
    except DataError as error:
        raise StoreError(str(error)) from None
    return table


def check_boxes(table: pa.Table) -> None:
    """Raises `StoreError` for boxes of items, or of their regions, that are not finite."""
    for name in {"box", "regions"} & set(table.column_names):
        values = table[name].cast(COLUMNS[name]).combine_chunks().flatten()
        if name == "regions":
            values = values.field("box").flatten()
        if not pc.all(pc.is_finite(values)).as_py() and len(values):
            raise StoreError(f"Expected finite numbers in the column {name}, got NaN or infinity.")


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
