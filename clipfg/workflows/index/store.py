"""Which key store a command means, and what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from clipfg.errors import UsageError
from clipfg.options import IndexShowOptions
from clipfg.options.groups import StoreOptions
from clipfg.store import KeyStore, has_store, read_state, verify
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.session import Session

if TYPE_CHECKING:
    from clipfg.encoders import Encoder

DEFAULT_STORE = Path(".clipfg") / "store"
"""The store of a working folder: `clipfg index build` makes it where no `--store` is named."""


def default_store() -> Path | None:
    """The default store of the working folder, or None where there is none yet."""
    return DEFAULT_STORE if has_store(DEFAULT_STORE) else None


def store_path(options: StoreOptions) -> Path:
    """The folder of `--store`, else the default store. Raises `UsageError` where there is none."""
    path = options.store or default_store()
    if path is None:
        raise UsageError(
            f"No key store is named, and there is none at {DEFAULT_STORE}; name one by --store DIR,"
            " or build that one by `clipfg index build DATA`."
        )
    return path


def open_store(options: StoreOptions) -> KeyStore:
    """The store of `store_path`. Raises `UsageError` as that does, `StoreError` as `load` does."""
    return KeyStore.load(store_path(options))


def open_store_encoder(session: Session, store: KeyStore, *parts: Dataset) -> Encoder:
    """The encoder of a store's keys. Raises `StoreError` where the options name another."""
    encoder = session.open_encoder(*parts, like=store)
    store.check_encoder(encoder.fingerprint, encoder.name, encoder.precision)
    return encoder


def store_info(options: IndexShowOptions) -> dict[str, Any]:
    """What a store holds: keys, bytes, encoder, classes, index, splits."""
    path = store_path(options)
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
        "index": store.index.factory,
        "effort": store.index.effort or None,
        "recall_at_10": store.index.recall,
    }


def verify_store(options: IndexShowOptions) -> list[str]:
    """What is wrong with a store, a sentence each."""
    return verify(store_path(options))
