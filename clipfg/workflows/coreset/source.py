"""What a coreset is made of: labelled items with their features, from data or from a store."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from clipfg.errors import DataError, UsageError
from clipfg.options import CoresetOptions
from clipfg.store import KeyStore
from clipfg.types import REQUIRED, UNLABELLED, ClassList, Features, Manifest, drawn
from clipfg.workflows.dataset import ROWS, Dataset
from clipfg.workflows.index.store import default_store
from clipfg.workflows.protocol.splits import TRAIN
from clipfg.workflows.provenance import Provenance
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

SELECTED = "Condensing %s labelled of %s items of %s (split %s)"

Batch = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Positions of items `[b]` and their features `[b, d]`."""


@dataclass(frozen=True)
class CoresetData:
    """Labelled items, with the columns of a store, and their features as a stream."""

    name: str
    items: pa.Table
    labels: NDArray[np.int64]
    classes: ClassList
    batches: Iterator[Batch]
    made_by: Provenance
    prompts: str
    groups: NDArray[np.int64] | None = None
    """What must stay together, as `Manifest.groups` has it."""

    def store(self, positions: NDArray[np.int64], keys: NDArray[np.float32]) -> KeyStore:
        """A key store of some of the items with the keys that stand for them."""
        return KeyStore.of(
            self.items.take(pa.array(positions)),
            keys,
            classes=self.classes,
            prompts=self.prompts,
            **vars(self.made_by),
        )

    def gather(self) -> tuple[NDArray[np.int64], Float[Tensor, "n d"], Int[Tensor, " n"]]:
        """All at once: positions, features and labels. Raises `DataError` when there are none."""
        batches = list(self.batches)
        if not batches:
            raise DataError(f"Expected labelled images that can be used, {self.name} has none.")
        positions = np.concatenate([rows for rows, _ in batches])
        features = torch.from_numpy(np.concatenate([vectors for _, vectors in batches]))
        return positions, features, torch.from_numpy(self.labels[positions])


def store_to_condense(options: CoresetOptions) -> Path | None:
    """`--store` or the default one; None for `--dataset`. Raises `UsageError` for both or none."""
    if options.dataset is not None:
        if options.store is not None:
            raise UsageError("--dataset and --store cannot be combined.")
        return None
    path = options.store or default_store()
    if path is None:
        raise UsageError("Name what to condense by --dataset DATA or --store DIR.")
    return path


def open_source(session: Session[CoresetOptions], store: Path | None) -> CoresetData:
    """The labelled items of a store or of `--dataset`: those of `--split`, by default train.

    Data without a train split are taken whole. Raises `DataError` where nothing is labelled.
    """
    return _of_data(session) if store is None else _of_store(session.options, store)


def stored_data(path: Path) -> Dataset:
    """The items of a store as data whose features are known."""
    store = KeyStore.load(path)
    columns = {name: store.items[name] for name in REQUIRED}
    features = Features(
        ids=tuple(store.ids),
        pooled=np.array(store.keys),
        labels=store.labels,
        classes=store.classes,
        fingerprint=store.fingerprint,
        splits=tuple(store.items["split"].to_pylist()),
    )
    return Dataset(Manifest.build(path.name, columns, store.classes), features)


def _of_store(options: CoresetOptions, path: Path) -> CoresetData:
    store = KeyStore.load(path)
    splits = np.array(store.items["split"].to_pylist(), dtype=object)
    split = options.split or (TRAIN if (splits == TRAIN).any() else "all")
    labels = store.labels
    kept = np.flatnonzero((labels != UNLABELLED) & ((splits == split) | (split == "all")))
    if store.classes is None or not kept.size:
        raise DataError(
            f"Expected labelled keys of split {split!r} in {path}, got none; name another --split,"
            " or build the store from labelled images."
        )
    logger.info(SELECTED, f"{len(kept):,}", f"{len(labels):,}", path, split)
    if options.limit is not None and options.limit < len(kept):
        kept = kept[drawn(labels[kept], options.limit, options.seed)]
    parts = [kept[start : start + ROWS] for start in range(0, len(kept), ROWS)]
    return CoresetData(
        path.name,
        store.items,
        labels,
        store.classes,
        ((rows, np.array(store.keys[rows])) for rows in parts),
        Provenance(store.fingerprint, store.model, store.precision),
        store.prompts,
    )


def _of_data(session: Session[CoresetOptions]) -> CoresetData:
    whole = session.whole()
    options = session.options
    split = options.split or (TRAIN if TRAIN in whole.manifest.splits else "all")
    data = whole.select(split).labelled().limited(options.limit, options.seed)
    logger.info(SELECTED, f"{len(data):,}", f"{len(whole):,}", data.name, split)
    session.open_encoder_if_needed(data)
    return CoresetData(
        data.name,
        data.manifest.table,
        data.manifest.labels,
        data.classes,
        ((batch.positions, batch.vectors) for batch in session.batches(data)),
        session.provenance(data),
        data.manifest.prompts,
        data.manifest.groups,
    )
