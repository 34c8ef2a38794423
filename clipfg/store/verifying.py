"""Verification: whether a store's files are what its JSON says, byte by byte."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from clipfg.errors import ClipfgError, StoreError
from clipfg.store import files
from clipfg.store.folder import checked, digest, opened
from clipfg.store.items import as_items
from clipfg.store.searching import BLOCK
from clipfg.store.state import StoreState

TOLERANCE = 1e-5
"""The tolerance of a key's norm around 1."""


def verify(path: Path) -> list[str]:
    """The faults of the store at `path`, a sentence each; none when it is intact.

    Checked are checksums, counts, columns, unique ids, labels, the norms of keys, and the number of
    keys in the index.
    """
    try:
        return opened(path, lambda state: _faults(path, state))
    except StoreError as error:
        return [str(error)]


def _faults(path: Path, state: StoreState) -> list[str]:
    faults = []
    check: Callable[[Path, StoreState], object]
    for file in state.files():
        try:
            found = digest(checked(path, file))
        except StoreError as error:
            faults.append(str(error))
            continue
        if found != file.digest:
            faults.append(
                f"Expected SHA-256 {file.digest[:12]} of {path / file.name}, got {found[:12]}:"
                " its content has changed; build the store again."
            )
    if faults:
        return faults  # the content of damaged files is not checked
    for check in (_items, _keys, files.open_index):
        try:
            check(path, state)
        except ClipfgError as error:
            faults.append(str(error))
    return faults


def _items(path: Path, state: StoreState) -> None:
    items = files.map_items(path, state)
    try:
        items.validate(full=True)
    except pa.ArrowException as error:
        raise StoreError(f"Expected valid columns in {path / state.items.name}: {error}") from None
    as_items(items, state.rows, state.class_list())


def _keys(path: Path, state: StoreState) -> None:
    keys = files.map_keys(path, state)
    for start in range(0, len(keys), BLOCK):
        block = keys[start : start + BLOCK]
        norms = np.sqrt(np.einsum("nd,nd->n", block, block, dtype=np.float64))
        off = np.flatnonzero(~(np.abs(norms - 1) <= TOLERANCE))
        if off.size:
            raise StoreError(
                f"Expected keys of unit norm, got {norms[off[0]]:.4g} in row {start + off[0]}"
                f" of {path / state.keys.name}."
            )
