"""Features in Parquet: one row an item, written as a stream."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.atomic import finished
from clipfg.embedding.foreign_features import IDS, LABELS, Arrays
from clipfg.errors import DataError
from clipfg.types import UNLABELLED

KEY = "clipfg"
"""Under which a file says, in JSON, what it is."""


LISTS = (pa.ListType, pa.LargeListType, pa.FixedSizeListType)


class FeatureWriter:
    """Writes features as they come; the file appears when the block ends without an error.

    Columns: `id`, `label` (null where unknown), `split` (null where none) and `embedding`, a list
    of `dim` float32. `about` is kept in the schema's metadata.
    """

    ROWS = 8192
    """Rows in a row group, and the most that are held."""

    def __init__(self, path: Path | str, dim: int, about: str) -> None:
        self.path = Path(path)
        self.dim = dim
        self._schema = pa.schema(
            [
                ("id", pa.string()),
                ("label", pa.int64()),
                ("split", pa.string()),
                ("embedding", pa.list_(pa.float32(), dim)),
            ],
            metadata={KEY: about},
        )
        self._stack = ExitStack()
        self._writer: Any = None
        self._held: list[pa.RecordBatch] = []
        self._rows = 0

    def __enter__(self) -> Self:
        import pyarrow.parquet as pq

        partial = self._stack.enter_context(finished(self.path))
        try:
            # Vectors do not compress, and their bounds help no one.
            self._writer = pq.ParquetWriter(
                partial,
                self._schema,
                compression={"embedding": "none", "id": "snappy"},
                use_dictionary=["split"],
                write_statistics=["id", "label", "split"],
            )
        except BaseException as error:
            if not self._stack.__exit__(type(error), error, error.__traceback__):
                raise
        return self

    def write(
        self,
        ids: Sequence[str],
        vectors: NDArray[np.float32],
        labels: NDArray[np.int64],
        splits: Sequence[str | None] | None = None,
    ) -> None:
        """Add rows; labels below zero are written as unknown."""
        flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
        columns = [
            pa.array(ids, pa.string()),
            pa.array(labels, pa.int64(), mask=np.asarray(labels) < 0),
            pa.array(splits or [None] * len(ids), pa.string()),
            pa.FixedSizeListArray.from_arrays(flat, self.dim),
        ]
        self._held.append(pa.record_batch(columns, schema=self._schema))
        self._rows += len(ids)
        if self._rows >= self.ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held))
        self._held, self._rows = [], 0

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool | None:
        try:
            if error is None:
                self._flush()
        finally:
            self._writer.close()
        return self._stack.__exit__(kind, error, trace)


def parquet_arrays(path: Path) -> tuple[Arrays, str | None]:
    """The columns of a Parquet file as arrays, its vectors as one matrix named `features`.

    Vectors are a column of lists of one length or, where there is none, all columns of floats.
    Raises `DataError` when there are neither.
    """
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    table = file.read()
    about = (table.schema.metadata or {}).get(KEY.encode())
    arrays: Arrays = {}
    matrices: Arrays = {}
    for name in table.column_names:
        kind = table.schema.field(name).type
        if pa.types.is_dictionary(kind):
            table = table.set_column(
                table.column_names.index(name), name, table[name].cast(kind.value_type)
            )
            kind = kind.value_type
        if isinstance(kind, LISTS) and pa.types.is_floating(kind.value_type):
            matrices[name] = _matrix(table[name], name)
        elif pa.types.is_integer(kind):
            arrays[name] = pc.fill_null(table[name], UNLABELLED).to_numpy()
        elif pa.types.is_floating(kind):
            arrays[name] = table[name].to_numpy()
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            arrays[name] = pc.fill_null(table[name], "").to_numpy()
    if matrices:
        arrays |= matrices
    else:
        taken = {*LABELS, *IDS}
        numbers = [
            name for name, a in arrays.items() if a.dtype.kind == "f" and name.lower() not in taken
        ]
        if len(numbers) > 1:
            arrays["features"] = np.column_stack([arrays.pop(name) for name in numbers])
    if about is not None:
        own = {"id": "ids", "label": "labels", "split": "splits", "embedding": "features"}
        return {own[name]: array for name, array in arrays.items() if name in own}, about.decode()
    return arrays, None


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
    flat = np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)
    return flat.reshape(-1, widths.pop() if widths else 1)
