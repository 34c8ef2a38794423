"""The key store over any data: built, updated, reduced.

Images are embedded before the store is locked, and the embedding cache keeps what is done, so that
a second writer waits for a commit and never for an encoder.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfg.errors import StoreError, StoreVersionError, UsageError
from clipfg.options import IndexAddOptions, IndexBuildOptions, IndexRemoveOptions
from clipfg.store import KeyStore, compare, has_store, merge, parse_where, read_state, writing
from clipfg.workflows.index.items import ORIGIN, EmbeddedItems, embed_items
from clipfg.workflows.index.store import DEFAULT_STORE, store_path
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

FAILURES = "failures.jsonl"


@dataclass(frozen=True)
class IndexRun(Run):
    """What a job did to the store, which has `keys` now; `vanished` ids its data lists no more."""

    keys: int
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    vanished: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """One row of counts."""
        return [asdict(self) | {"folder": str(self.folder), "vanished": list(self.vanished)}]


def run_build(session: Session[IndexBuildOptions]) -> IndexRun:
    """Make the store of `--store`, by default that of the working folder, hold `--dataset` alone.

    A store of the same encoder is replaced in one step, and its images are not embedded again.
    Raises `StoreError` where the store there is another encoder's.
    """
    options = session.options
    path = options.store or DEFAULT_STORE
    held, data = _held(path), session.dataset()
    if options.store is None:
        logger.info(f"No --store is named: building {path}, the default store of this folder.")
    new = embed_items(session, data, held, options.prefix)
    with writing(path) as writer:
        held = _held(path, warn=True)
        if held is not None:
            held.check_encoder(**vars(new.made_by))
            _check_replaced(path, held, new, options)
        store = new.store(options.factory or (held.index.factory if held else "Flat"), options.seed)
        store.index.device = options.device
        store.commit(writer)
        session.failures.replace(path / FAILURES)
    done, skipped = len(store), len(session.failures)
    if held is None:
        return IndexRun(path, done, skipped, len(store), added=len(store))
    changes = compare(held, new.items, new.keys, new.classes)
    return IndexRun(
        path,
        done,
        skipped,
        len(store),
        added=len(changes.new),
        updated=len(changes.changed),
        unchanged=len(changes.unchanged),
        removed=int((store.rows(held.ids) < 0).sum()),
    )


def run_add(session: Session[IndexAddOptions]) -> IndexRun:
    """Update the store with `--dataset`: new items are added, changed ones updated.

    Ids that the store has from the same data set (and split) and that it no longer lists are
    reported, and removed with `--prune`. Without `--model` the store's own encoder is used.
    """
    options = session.options
    path = store_path(options)
    held = KeyStore.load(path)
    new = embed_items(session, session.dataset(), held, options.prefix)
    with writing(path) as writer:
        store = KeyStore.load(path, afresh=True)  # a changed byte must not get a new checksum
        store.check_encoder(**vars(new.made_by))
        store.index.device = options.device
        _check_origin(store, new)
        changes = merge(store, new.items, new.keys, new.classes)
        vanished = _vanished(store, new, options)
        pruned = vanished if options.prune else []
        store.remove(pruned)
        if len(changes.new) or len(changes.changed) or pruned:
            store.commit(writer)
        session.failures.replace(path / FAILURES)
    return IndexRun(
        path,
        len(new.items),
        len(session.failures),
        len(store),
        added=len(changes.new),
        updated=len(changes.changed),
        unchanged=len(changes.unchanged),
        removed=len(pruned),
        vanished=() if options.prune else tuple(vanished),
    )


def run_remove(options: IndexRemoveOptions, ids: Sequence[str]) -> IndexRun:
    """Remove items by id, or all that meet `--where`. Raises `StoreError` for an unknown id."""
    path = store_path(options)
    if bool(ids) == bool(options.where):
        raise UsageError(
            "Ids and --where CONDITION cannot be combined."
            if ids
            else "Say which items to remove: name their ids, or give --where CONDITION."
        )
    read_state(path)  # where there is no store, no folder is made
    with writing(path) as writer:
        store = KeyStore.load(path, afresh=True)  # a changed byte must not get a new checksum
        store.index.device = options.device
        chosen = list(dict.fromkeys(ids))
        if options.where:
            mask = parse_where(options.where, store)
            chosen = store.items["id"].filter(pa.array(mask)).to_pylist()
        store.remove(chosen)
        if chosen:
            store.commit(writer)
    return IndexRun(path, len(chosen), 0, len(store), removed=len(chosen))


def _held(path: Path, *, warn: bool = False) -> KeyStore | None:
    """The store at `path`; None where there is none, or one that is damaged.

    Raises `StoreVersionError` for one that another version of clipfg wrote.
    """
    if not has_store(path):
        return None
    try:
        return KeyStore.load(path)
    except StoreVersionError:
        raise
    except StoreError as error:
        if warn:
            logger.warning(f"The damaged store is replaced: {error}")
        return None


def _check_replaced(
    path: Path, held: KeyStore, new: EmbeddedItems, options: IndexBuildOptions
) -> None:
    """Raises `UsageError` where items of other data would go and `--replace` is not given."""
    if options.replace:
        return
    if ORIGIN in held.items.column_names:
        others = set(held.items[ORIGIN].unique().to_pylist()) - {new.origin, None}
    else:
        others = set() if (held.rows(new.items["id"].to_pylist()) >= 0).any() else {"other data"}
    if others:
        named = ", ".join(sorted(others)[:3])
        raise UsageError(
            f"The store {path} holds {len(held):,} keys, some of {named}; say --replace to replace"
            " them all, `clipfg index add` to add to them, or name another --store."
        )


def _check_origin(store: KeyStore, new: EmbeddedItems) -> None:
    """Raises `StoreError` where another data set has put another image under one of these ids."""
    if ORIGIN not in store.items.column_names:
        return
    rows = store.rows(new.items["id"].to_pylist())
    known = np.flatnonzero(rows >= 0)
    theirs = store.items.select(["uri", ORIGIN]).take(pa.array(rows[known])).to_pylist()
    ours = new.items.select(["id", "uri"]).take(pa.array(known)).to_pylist()
    for place, one, other in zip(known, ours, theirs, strict=True):
        identity, uri, origin = one["id"], one["uri"], other[ORIGIN]
        # Where features come from a file, the uri is the id and says nothing of the image.
        if origin in (None, new.origin) or (uri == other["uri"] and uri != identity):
            continue
        if (store.keys[rows[place]] != new.keys[place]).any():
            raise StoreError(
                f"Expected ids that no other data set in the store uses, got {identity!r}, which is"
                f" there from {origin}; tell them apart with --prefix."
            )


def _vanished(store: KeyStore, new: EmbeddedItems, options: IndexAddOptions) -> list[str]:
    """Ids that came from the same data set and that it no longer lists."""
    if options.limit is not None or ORIGIN not in store.items.column_names:
        return []
    items = store.items.filter(pc.equal(store.items[ORIGIN], new.origin))
    if options.split != "all":
        items = items.filter(pc.equal(items["split"], options.split))
    return [identity for identity in items["id"].to_pylist() if identity not in new.listed]
