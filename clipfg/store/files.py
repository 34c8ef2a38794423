"""The files of a store: keys in NumPy's format, items in Arrow's; both are memory-mapped."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clipfg.errors import StoreError
from clipfg.store.folder import StoreWriter, checked
from clipfg.store.index import Index
from clipfg.store.state import StoredFile, StoreState
from clipfg.types import COLUMNS, REQUIRED


def write_keys(writer: StoreWriter, keys: NDArray[np.float32]) -> StoredFile:
    """Keys `[n, d]` as a .npy file."""
    return writer.add("keys", "npy", lambda path: np.save(path, keys, allow_pickle=False))


def map_keys(path: Path, state: StoreState) -> NDArray[np.float32]:
    """The keys of a state; only the header is read."""
    place = checked(path, state.keys)
    try:
        # An empty file cannot be mapped.
        keys = np.load(place, mmap_mode="r" if state.rows else None, allow_pickle=False)
    except (ValueError, EOFError, OverflowError) as error:
        raise _damaged(place, error) from None
    if keys.dtype != np.float32 or keys.shape != (state.rows, state.dim):
        raise _damaged(place, f"{keys.dtype} of shape {keys.shape}")
    if not keys.flags.c_contiguous:
        raise _damaged(place, "keys in Fortran order")
    return np.asarray(keys)


def write_items(writer: StoreWriter, items: pa.Table) -> StoredFile:
    """Items as an Arrow file."""

    def write(path: Path) -> None:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, items.schema) as file:
            file.write_table(items)

    return writer.add("items", "arrow", write)


def map_items(path: Path, state: StoreState) -> pa.Table:
    """The items of a state; columns are read on use."""
    place = checked(path, state.items)
    try:
        with pa.memory_map(str(place)) as source:
            items = pa.ipc.open_file(source).read_all()
        items.validate()
    except pa.ArrowException as error:
        raise _damaged(place, error) from None
    if items.num_rows != state.rows:
        raise _damaged(place, f"{items.num_rows:,} rows where there are {state.rows:,} keys")
    types = {name: items.schema.field(name).type for name in items.column_names}
    if any(types.get(name) != COLUMNS[name] for name in REQUIRED):
        raise _damaged(place, f"columns {', '.join(items.column_names)}")
    return items


def open_index(path: Path, state: StoreState) -> Index:
    """The index of a state, memory-mapped too."""
    if state.index is None:
        return Index(state.factory)
    place = checked(path, state.index)
    index = Index(state.factory, recall=state.recall, effort=state.effort, file=place)
    if (rows := index.open()) != state.rows:
        raise _damaged(place, f"{rows:,} keys where there are {state.rows:,}")
    return index


def _damaged(place: Path, reason: object) -> StoreError:
    return StoreError(
        f"Expected {place.name.split('-')[0]} in {place} as the store's JSON describes them, got:"
        f" {str(reason).splitlines()[0]}. The file is damaged; build the store again."
    )
