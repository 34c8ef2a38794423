"""What a coreset is made of: labelled items with their features, from data or from a store."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders import Encoder
from clipfg.errors import DataError, UsageError
from clipfg.settings import Settings
from clipfg.store import KeyStore
from clipfg.types import REQUIRED, UNLABELLED, ClassList, Features, Manifest, Progress
from clipfg.workflows.classify import ROWS, feature_batches
from clipfg.workflows.failures import Failures
from clipfg.workflows.protocol.splits import TRAIN
from clipfg.workflows.session import Dataset, check_same_encoder, open_dataset, open_encoder

logger = logging.getLogger("clipfg")

Batch = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Positions of items `[b]` and their features `[b, d]`."""


@dataclass(frozen=True)
class CoresetData:
    """Labelled items, and their features as a stream.

    `items` have the columns of a store. `fingerprint`, `model` and `precision` say who made the
    features; they are empty where a file does not know. `prompts` suit the items.
    """

    name: str
    items: pa.Table
    labels: NDArray[np.int64]
    classes: ClassList
    batches: Iterator[Batch]
    fingerprint: str
    model: str
    precision: str
    prompts: str

    def store(
        self, positions: NDArray[np.int64], keys: NDArray[np.float32], *, device: str
    ) -> KeyStore:
        """A key store of some of the items with the keys that stand for them."""
        store = KeyStore.of(
            self.items.take(pa.array(positions)),
            keys,
            classes=self.classes,
            model=self.model,
            precision=self.precision,
            fingerprint=self.fingerprint,
            prompts=self.prompts,
        )
        store.device = device
        return store

    def gather(self) -> tuple[NDArray[np.int64], Float[Tensor, "n d"], Int[Tensor, " n"]]:
        """All at once: positions, features and labels. Raises `DataError` when there are none."""
        batches = list(self.batches)
        if not batches:
            raise DataError(f"Expected labelled images that can be used, {self.name} has none.")
        positions = np.concatenate([rows for rows, _ in batches])
        features = torch.from_numpy(np.concatenate([vectors for _, vectors in batches]))
        return positions, features, torch.from_numpy(self.labels[positions])


def open_source(
    settings: Settings, cache: EmbeddingCache, failures: Failures, progress: Progress | None
) -> CoresetData:
    """The items of `--store` or `--dataset`: those of `--split`, by default the train split.

    Data without a train split are taken whole. Items without a label are left out. Raises
    `UsageError` unless one of both is named, `DataError` where nothing is labelled.
    """
    if (settings.store is None) == (settings.dataset is None):
        raise UsageError("Expected --dataset DATA or --store DIR, one of both.")
    if settings.store is not None:
        return _of_store(settings, settings.store)
    return _of_data(settings, cache, failures, progress)


def _of_store(settings: Settings, path: Path) -> CoresetData:
    store = KeyStore.load(path)
    splits = np.array(store.items["split"].to_pylist(), dtype=object)
    split = settings.split or (TRAIN if (splits == TRAIN).any() else "all")
    labels = store.labels
    kept = np.flatnonzero((labels != UNLABELLED) & ((splits == split) | (split == "all")))
    if store.classes is None or not kept.size:
        raise DataError(
            f"Expected labelled keys of split {split!r} in {path}, got none; a coreset needs to"
            " know which class each item is of."
        )
    _say_split(str(path), split, len(kept), len(labels))
    kept = kept[: settings.limit]
    parts = [kept[start : start + ROWS] for start in range(0, len(kept), ROWS)]
    batches = ((rows, np.array(store.keys[rows])) for rows in parts)
    about = (store.fingerprint, store.model, store.precision, store.prompts)
    return CoresetData(path.name, store.items, labels, store.classes, batches, *about)


def stored_data(path: Path) -> Dataset:
    """The items of a store as data whose features are known."""
    store = KeyStore.load(path)
    columns = {name: store.items[name] for name in REQUIRED}
    manifest = Manifest.build(path.name, columns, store.classes)
    splits = tuple(store.items["split"].to_pylist())
    features = Features(
        ids=tuple(store.ids),
        pooled=np.array(store.keys),
        labels=store.labels,
        classes=store.classes,
        fingerprint=store.fingerprint,
        splits=splits,
    )
    return Dataset(manifest, features)


def _of_data(
    settings: Settings, cache: EmbeddingCache, failures: Failures, progress: Progress | None
) -> CoresetData:
    whole = open_dataset(settings.model_copy(update={"split": "all", "limit": None}))
    split = settings.split or (TRAIN if TRAIN in whole.manifest.splits else "all")
    manifest = whole.manifest.select(None if split == "all" else split, settings.limit)
    data = replace(whole, manifest=manifest)
    known = np.flatnonzero(manifest.labels != UNLABELLED)
    if not known.size:
        raise DataError(
            f"Expected labelled images, {manifest.name} has none; a coreset needs to know which"
            " class each is of."
        )
    _say_split(manifest.name, split, len(known), len(whole.manifest))
    data = data.rows(known)
    encoder = open_encoder_for(data, settings, cache)
    made_by: tuple[str, str, str]
    if encoder is not None:
        made_by = (encoder.fingerprint, encoder.name, encoder.precision)
    else:
        made_by = (data.features.fingerprint if data.features else "", "", "")
    stream = feature_batches(data, encoder, settings, cache, failures.add, progress)
    batches = ((batch.positions, batch.vectors) for batch in stream)
    table, labels = data.manifest.table, data.manifest.labels
    prompts = manifest.prompts
    return CoresetData(manifest.name, table, labels, data.classes, batches, *made_by, prompts)


def open_encoder_for(data: Dataset, settings: Settings, cache: EmbeddingCache) -> Encoder | None:
    """The encoder, or None for features from a file where no `--model` is named."""
    if data.features is not None and settings.model is None:
        return None
    encoder = open_encoder(settings, cache, data)
    if data.features is not None:
        check_same_encoder(data.features, encoder)
    return encoder


def _say_split(name: str, split: str, rows: int, of: int) -> None:
    logger.info(f"Condensing {rows:,} labelled of {of:,} items of {name} (split {split})")
