"""The key store over any data: built, brought up to date, thinned out, looked at.

Images are embedded before the store is locked, and the embedding cache keeps what is done, so a
second writer waits for a commit and never for an encoder.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfg.errors import StoreError, UsageError
from clipfg.settings import Settings
from clipfg.store import (
    KeyStore,
    compare,
    has_store,
    merge,
    parse_where,
    read_state,
    verify,
    writing,
)
from clipfg.types import Progress
from clipfg.workflows.failures import Failures
from clipfg.workflows.index.items import ORIGIN, EmbeddedItems, embed_items

logger = logging.getLogger("clipfg")

SHOWN = 10
"""How many ids that have vanished are named."""


@dataclass(frozen=True)
class IndexRun:
    """What a build or an update did to a store."""

    path: Path
    rows: int
    added: int
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    vanished: tuple[str, ...] = ()
    skipped: int = 0

    @property
    def exit_code(self) -> int:
        """0 when every image was used, 3 when some were skipped."""
        return 3 if self.skipped else 0


def run_build(
    settings: Settings,
    *,
    factory: str | None = None,
    prefix: str = "",
    progress: Progress | None = None,
) -> IndexRun:
    """Make the store `settings.store` hold `settings.dataset`, and nothing else.

    A store of the same encoder is replaced in one step, its images not embedded again. Raises
    `StoreError` where one of another encoder is: that is refused, both encoders named.
    """
    path = store_path(settings)
    failures = Failures()
    new = embed_items(settings, _held(path), failures, prefix, progress)
    with writing(path) as writer:
        held = _held(path)
        if held is not None:
            held.check_encoder(new.fingerprint, new.model, new.precision)
        store = new.store(factory or (held.factory if held else "Flat"), settings.seed)
        store.device = settings.device
        store.commit(writer)
        failures.write(path / "failures.jsonl")
    if held is None:
        return IndexRun(path, len(store), len(store), skipped=len(failures))
    changes = compare(held, new.items, new.keys, new.classes)
    return IndexRun(
        path,
        len(store),
        added=len(changes.new),
        updated=len(changes.changed),
        unchanged=len(changes.unchanged),
        removed=int((store.rows(held.ids) < 0).sum()),
        skipped=len(failures),
    )


def store_in_memory(
    settings: Settings, failures: Failures, progress: Progress | None = None
) -> KeyStore:
    """The store that `run_build` would write, kept nowhere."""
    new = embed_items(settings, None, failures, "", progress)
    return new.store()


def run_add(
    settings: Settings,
    *,
    prune: bool = False,
    prefix: str = "",
    progress: Progress | None = None,
) -> IndexRun:
    """Bring the store up to date with `settings.dataset`: new items, changed ones, vanished ones.

    Ids that the store has from the same data (and split) and that the data no longer lists are
    reported, and removed with `prune`. Without `--model` the store's own encoder is used.
    """
    path = store_path(settings)
    failures = Failures()
    new = embed_items(settings, KeyStore.load(path), failures, prefix, progress)
    with writing(path) as writer:
        store = KeyStore.load(path)
        store.check_encoder(new.fingerprint, new.model, new.precision)
        store.device = settings.device
        _check_origin(store, new)
        changes = merge(store, new.items, new.keys, new.classes)
        vanished = _vanished(store, new, settings)
        if prune:
            store.remove(vanished)
        pruned = len(vanished) if prune else 0
        if len(changes.new) or len(changes.changed) or pruned:
            store.commit(writer)
        failures.write(path / "failures.jsonl")
    return IndexRun(
        path,
        len(store),
        added=len(changes.new),
        updated=len(changes.changed),
        unchanged=len(changes.unchanged),
        removed=pruned,
        vanished=() if prune else tuple(vanished),
        skipped=len(failures),
    )


def run_remove(settings: Settings, ids: Sequence[str], where: Sequence[str]) -> IndexRun:
    """Remove items by id, or all that meet the conditions of `where`.

    Raises `UsageError` when neither or both are given, `StoreError` for an unknown id.
    """
    path = store_path(settings)
    if bool(ids) == bool(where):
        raise UsageError("Expected ids, or --where CONDITION, to say which items to remove.")
    read_state(path)  # where there is no store, no folder is made
    with writing(path) as writer:
        store = KeyStore.load(path)
        store.device = settings.device
        chosen = list(dict.fromkeys(ids))
        if where:
            chosen = store.items["id"].filter(pa.array(parse_where(where, store))).to_pylist()
        store.remove(chosen)
        if chosen:
            store.commit(writer)
    return IndexRun(path, len(store), added=0, removed=len(chosen))


def store_info(settings: Settings) -> dict[str, Any]:
    """What a store holds: rows, bytes, encoder, classes, index, splits."""
    path = store_path(settings)
    store = KeyStore.load(path)
    splits = pc.value_counts(store.items["split"].combine_chunks()).to_pylist()
    return {
        "store": str(path),
        "keys": len(store),
        "width": store.dim,
        "mib": sum(file.size for file in read_state(path).files()) / 2**20,
        "model": store.model or None,
        "precision": store.precision or None,
        "fingerprint": store.fingerprint[:12] or None,
        "prompts": store.prompts or None,
        "classes": len(store.classes) if store.classes else 0,
        "labelled": int((store.labels >= 0).sum()),
        "splits": {row["values"] or "none": row["counts"] for row in splits},
        "index": store.factory,
        "effort": store.effort or None,
        "recall_at_10": store.recall,
    }


def verify_store(settings: Settings) -> list[str]:
    """What is wrong with a store, a sentence each."""
    return verify(store_path(settings))


def store_path(settings: Settings) -> Path:
    """The folder of `--store`. Raises `UsageError` when none is named."""
    if settings.store is None:
        raise UsageError("Expected --store DIR, the folder of a key store, got none.")
    return settings.store


def _held(path: Path) -> KeyStore | None:
    """The store that a build replaces; None where there is none, or none that can be used."""
    if not has_store(path):
        return None
    read_state(path)  # what another version of clipfg wrote is not replaced
    try:
        return KeyStore.load(path)
    except StoreError as error:
        logger.warning(f"The store is replaced without a look at it: {error}")
        return None


def _check_origin(store: KeyStore, new: EmbeddedItems) -> None:
    """Raises `StoreError` where an id of these data is that of another image in the store."""
    if ORIGIN not in store.items.column_names:
        return
    rows = store.rows(new.items["id"].to_pylist())
    known = np.flatnonzero(rows >= 0)
    theirs = store.items.take(pa.array(rows[known]))
    ours = new.items.take(pa.array(known))
    for place, (identity, mine, there, origin) in enumerate(
        zip(
            *(ours[name].to_pylist() for name in ("id", "uri")),
            *(theirs[name].to_pylist() for name in ("uri", ORIGIN)),
            strict=True,
        )
    ):
        if origin in (None, new.origin) or (mine == there and mine != identity):
            continue
        if (store.keys[rows[known[place]]] != new.keys[known[place]]).any():
            raise StoreError(
                f"Expected ids that other data in the store do not use, got {identity!r}, which is"
                f" there from {origin}; tell them apart with --prefix."
            )


def _vanished(store: KeyStore, new: EmbeddedItems, settings: Settings) -> list[str]:
    """Ids that came from the same data, and that it no longer lists."""
    if settings.limit is not None or ORIGIN not in store.items.column_names:
        return []
    items = store.items.filter(pc.equal(store.items[ORIGIN], new.origin))
    if settings.split not in (None, "all"):
        items = items.filter(pc.equal(items["split"], settings.split))
    return [identity for identity in items["id"].to_pylist() if identity not in new.listed]
