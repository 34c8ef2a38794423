"""Features in Parquet: a row for each item.

Columns: `id`, `label` (null where unknown), `split` (null where none) and `embedding`, a list of d
float32. Where they are known: `patches`, a list of lists of d float16, with their grid of rows and
columns in `patch_grid`; `regions`, a list of lists of d float32, with `region_boxes` and
`region_phrases`; and `bag`, the name or number of the item's bag.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.embedding.feature_arrays import KEY, Arrays
from clipfg.embedding.foreign_features import IDS, LABELS
from clipfg.errors import DataError
from clipfg.memory import in_words, machine_memory
from clipfg.types import UNLABELLED, Features
from clipfg.types.dense import bag_offsets, offsets_of

ROWS = 8192
"""Rows in a row group of pooled features; with patches, as many as fit into `ROW_GROUP`."""
ROW_GROUP = 64 << 20
"""Bytes of patches in a row group."""

OWN = {"id": "ids", "label": "labels", "split": "splits", "embedding": "features"}
LISTS = (pa.ListType, pa.LargeListType, pa.FixedSizeListType)


def write_parquet(features: Features, info: str, path: Path) -> None:
    """Write features to `path`, with `info` in the schema's metadata."""
    import pyarrow.parquet as pq

    rows, size = ROWS, 0 if features.patches is None else features.patches.values.nbytes
    if size:
        rows = max(1, min(ROWS, ROW_GROUP * len(features) // size))
    schema = _table(features, 0, 0).schema.with_metadata({KEY: info})
    # Vectors do not compress, and their bounds help no one.
    with pq.ParquetWriter(
        path,
        schema,
        compression={"embedding": "none", "id": "snappy"},
        use_dictionary=["split"],
        write_statistics=["id", "label", "split"],
    ) as writer:
        for start in range(0, len(features), rows):
            writer.write_table(_table(features, start, start + rows).cast(schema))


def _table(features: Features, start: int, stop: int) -> pa.Table:
    part = slice(start, stop)
    labels = features.labels[part]
    splits = features.splits[part] or [None] * len(labels)
    columns = {
        "id": pa.array(features.ids[part], pa.string()),
        "label": pa.array(labels, pa.int64(), mask=labels < 0),
        "split": pa.array(splits, pa.string()),
        "embedding": _rows(features.pooled[part]),
    }
    items = np.arange(len(features))[part]
    if features.patches is not None:
        patches = features.patches.rows(items)
        columns["patches"] = _lists(_rows(patches.values), patches.offsets)
        columns["patch_grid"] = _rows(patches.grids)
    if features.regions is not None:
        regions = features.regions.rows(items)
        columns["regions"] = _lists(_rows(regions.values), regions.offsets)
        columns["region_boxes"] = _lists(_rows(regions.boxes), regions.offsets)
        if features.regions.phrases:
            phrases = pa.array(regions.phrases, pa.string())
            columns["region_phrases"] = _lists(phrases, regions.offsets)
    if features.bag_offsets is not None:
        bags = np.searchsorted(features.bag_offsets, items, side="right") - 1
        columns["bag"] = pa.array(bags, pa.int64())
        if features.bag_names:
            columns["bag"] = pa.array(features.bag_names, pa.string()).take(columns["bag"])
    return pa.table(columns)


def _rows(matrix: NDArray[Any]) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])


def _lists(values: pa.Array, offsets: NDArray[np.int64]) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


def parquet_arrays(path: Path) -> tuple[Arrays, str | None]:
    """The columns of a Parquet file as arrays, its vectors as one matrix named `features`.

    Vectors are a column of lists of one length or, where there is none, all columns of floats.
    Of a file that clipfg wrote, its `info` is returned too. Raises `DataError` when there are no
    vectors.
    """
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    least = 4 * file.metadata.num_rows * file.metadata.num_columns
    if least > machine_memory() // 2:  # runs of one value take no space in the file
        raise DataError(
            f"Expected features that fit into half of this machine's memory, got"
            f" {file.metadata.num_rows:,} rows, which take {in_words(least)}."
        )
    table = file.read()
    info = (table.schema.metadata or {}).get(KEY.encode())
    if info is not None:
        plain = table.select([name for name in OWN if name in table.column_names])
        arrays = {OWN[name]: array for name, array in _plain_columns(plain)}
        return arrays | _dense_arrays(table), info.decode()
    arrays = dict(_plain_columns(table))
    if not any(array.ndim == 2 for array in arrays.values()):
        taken = {*LABELS, *IDS}
        numbers = [
            name for name, a in arrays.items() if a.dtype.kind == "f" and name.lower() not in taken
        ]
        if len(numbers) > 1:
            arrays["features"] = np.column_stack([arrays.pop(name) for name in numbers])
    return arrays, None


def _plain_columns(table: pa.Table) -> Iterator[tuple[str, NDArray[Any]]]:
    """Columns of numbers, strings and vectors of floats, by name; others are left out."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        kind = column.type
        if isinstance(kind, LISTS) and pa.types.is_floating(kind.value_type):
            yield name, _matrix(column, name)
        elif pa.types.is_integer(kind):
            yield name, pc.fill_null(column, UNLABELLED).to_numpy()
        elif pa.types.is_floating(kind):
            yield name, column.to_numpy()
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            yield name, pc.fill_null(column, "").to_numpy()


def _matrix(column: pa.ChunkedArray, name: str) -> NDArray[Any]:
    parts = []
    widths = {column.type.list_size} if pa.types.is_fixed_size_list(column.type) else set()
    for chunk in column.chunks:
        if chunk.null_count:
            raise DataError(f"Expected a vector in every row, got nulls in {name!r}.")
        if len(chunk):
            widths |= set(pc.unique(pc.list_value_length(chunk)).to_pylist())
            parts.append(chunk.flatten().to_numpy(zero_copy_only=False))
    if len(widths) > 1:
        raise DataError(
            f"Expected vectors of one length in {name!r}, got {min(widths)} to {max(widths)}."
        )
    flat = np.concatenate(parts) if parts else np.empty(0, column.type.value_type.to_pandas_dtype())
    return flat.reshape(-1, widths.pop() if widths else 1)


def _dense_arrays(table: pa.Table) -> Arrays:
    """Patches, regions and bags of a file that clipfg wrote; see `feature_arrays`."""
    arrays: Arrays = {}
    for name in ("patches", "regions", "region_boxes"):
        if name in table.column_names:
            lists = table[name].combine_chunks()
            width = lists.type.value_type.list_size
            arrays[name] = lists.flatten().flatten().to_numpy().reshape(-1, width)
            if name == "regions":
                arrays["region_offsets"] = offsets_of(pc.list_value_length(lists).to_numpy())
    if "patch_grid" in table.column_names:
        arrays["patch_grids"] = _matrix(table["patch_grid"], "patch_grid")
    if "region_phrases" in table.column_names:
        phrases = table["region_phrases"].combine_chunks().flatten()
        arrays["region_phrases"] = pc.fill_null(phrases, "").to_numpy(zero_copy_only=False)
    if "bag" in table.column_names:
        coded = table["bag"].combine_chunks().dictionary_encode()
        arrays["bag_offsets"] = bag_offsets(coded.indices.to_numpy().astype(np.int64))
        if pa.types.is_string(coded.dictionary.type):
            arrays["bag_names"] = coded.dictionary.to_numpy(zero_copy_only=False)
    return arrays
