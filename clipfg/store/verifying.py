"""Verification: whether a store's files are what its JSON says, byte by byte."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clipfg.atomic import finished
from clipfg.errors import ClipfgError, StoreError
from clipfg.store import files
from clipfg.store.folder import VERIFIED, checked, digest, opened
from clipfg.store.items import as_items
from clipfg.store.searching import BLOCK
from clipfg.store.state import StoreState

Signatures = dict[str, list[Any]]

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


def verify_once(path: Path, state: StoreState) -> None:
    """Raise `StoreError` for the first fault of a store that is not known to be whole.

    A damaged file that is mapped gives wrong answers or ends the process, so all are read once.
    What was found is kept in the folder, where it can be written, until one of them changes.
    """
    try:
        known = json.loads((path / VERIFIED).read_bytes())
    except (OSError, ValueError, RecursionError):
        known = None
    seen = signatures(path, state)  # before the files are read: a later change is another file
    if known == seen:
        return
    check(path, state)
    remember(path, seen)


def check(path: Path, state: StoreState) -> None:
    """Raise `StoreError` for the first fault of a store, all of which is read."""
    if faults := _faults(path, state):
        raise StoreError(faults[0])


def remember(path: Path, seen: Signatures) -> None:
    """Keep that files with these signatures are whole, if the folder can be written."""
    with suppress(OSError, StoreError), finished(path / VERIFIED, StoreError) as partial:
        partial.write_text(json.dumps(seen))


def signatures(path: Path, state: StoreState) -> Signatures:
    """What changes whenever a file is written or replaced; a copy has others."""
    found = {}
    for file in state.files():
        now = checked(path, file).stat()
        found[file.name] = [file.digest, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns]
    return found


def _faults(path: Path, state: StoreState) -> list[str]:
    faults = []
    part: Callable[[Path, StoreState], object]
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
    for part in (_items, _keys, files.open_index):
        try:
            part(path, state)
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
