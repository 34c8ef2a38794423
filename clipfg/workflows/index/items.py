"""What goes into a store: a data name's items and keys, and the encoder that made them."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders import Encoder
from clipfg.errors import DataError, StoreError
from clipfg.settings import Settings
from clipfg.store import KeyStore
from clipfg.types import ClassList, Manifest, Progress
from clipfg.workflows.classify import feature_batches
from clipfg.workflows.failures import Failures
from clipfg.workflows.session import (
    FEATURES,
    Dataset,
    check_same_encoder,
    open_cache,
    open_dataset,
    open_encoder,
)

logger = logging.getLogger("clipfg")

ORIGIN = "data"
"""The column that says which data an item came from."""


@dataclass(frozen=True)
class EmbeddedItems:
    """Items of one data name with their keys, and who made those."""

    items: pa.Table
    keys: NDArray[np.float32]
    classes: ClassList | None
    fingerprint: str
    model: str
    precision: str
    origin: str
    prompts: str
    listed: frozenset[str]  # all ids of the data, those that could not be used too

    def store(self, factory: str = "Flat", seed: int = 0) -> KeyStore:
        """A store of these items alone."""
        return KeyStore.of(
            self.items,
            self.keys,
            classes=self.classes,
            model=self.model,
            precision=self.precision,
            fingerprint=self.fingerprint,
            prompts=self.prompts,
            factory=factory,
            seed=seed,
        )


def embed_items(
    settings: Settings,
    store: KeyStore | None,
    failures: Failures,
    prefix: str,
    progress: Progress | None,
) -> EmbeddedItems:
    """The data's items and keys; another encoder than the store's is refused before any work."""
    settings = settings.model_copy(update={"split": settings.split or "all"})
    data = open_dataset(settings)
    with open_cache(settings) as cache:
        encoder = _encoder(settings, store, data, cache)
        made_by = _made_by(encoder, data, store)
        dim = encoder.dim if encoder is not None else data.features.dim  # type: ignore[union-attr]
        if store is not None:
            _check_store(store, *made_by, dim)
        kept, keys = _keys(settings, data, encoder, cache, dim, failures, progress)
    items = _items(data.manifest, kept, prefix, origin := _origin(settings, data.manifest))
    listed = frozenset(prefix + identity for identity in data.manifest.ids)
    return EmbeddedItems(
        items,
        keys,
        data.manifest.classes,
        *made_by,
        origin=origin,
        prompts=data.manifest.prompts,
        listed=listed,
    )


def _encoder(
    settings: Settings, store: KeyStore | None, data: Dataset, cache: EmbeddingCache
) -> Encoder | None:
    """The encoder of `--model`, else the store's; None for features, which need none."""
    if data.features is not None and settings.model is None:
        return None
    if settings.model is None and store is not None and store.model:
        settings = settings.model_copy(update={"model": store.model})
    if settings.precision == "auto" and store is not None and store.precision:
        settings = settings.model_copy(update={"precision": store.precision})
    encoder = open_encoder(settings, cache, data)
    if data.features is not None:
        check_same_encoder(data.features, encoder)
    return encoder


def _made_by(
    encoder: Encoder | None, data: Dataset, store: KeyStore | None
) -> tuple[str, str, str]:
    """Fingerprint, model and precision; a file of features knows the first at most."""
    if encoder is not None:
        return encoder.fingerprint, encoder.name, encoder.precision
    fingerprint = data.features.fingerprint if data.features is not None else ""
    if store is not None and fingerprint and fingerprint == store.fingerprint:
        return fingerprint, store.model, store.precision
    return fingerprint, "", ""


def _check_store(store: KeyStore, fingerprint: str, model: str, precision: str, dim: int) -> None:
    store.check_encoder(fingerprint, model, precision)
    if dim != store.dim:
        raise StoreError(
            f"Expected features {store.dim} wide, as the store's keys are ({store.encoder}), got"
            f" {dim}; build another store."
        )
    if bool(fingerprint) != bool(store.fingerprint):
        logger.warning(
            "Either the store or the data does not say which encoder made its features; if it was"
            " not the same, their cosines mean nothing."
        )


def _keys(
    settings: Settings,
    data: Dataset,
    encoder: Encoder | None,
    cache: EmbeddingCache,
    dim: int,
    failures: Failures,
    progress: Progress | None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows of the manifest that could be used `[n]`, and their features `[n, d]`."""
    keys = np.empty((len(data.manifest), dim), dtype=np.float32)
    kept: list[NDArray[np.int64]] = []
    rows = 0
    for batch in feature_batches(data, encoder, settings, cache, failures.add, progress):
        keys[rows : rows + len(batch)] = batch.vectors
        kept.append(batch.positions)
        rows += len(batch)
    if not rows:
        raise DataError(f"Expected images that can be used, {data.manifest.name} has none.")
    return np.concatenate(kept), keys[:rows]


def _items(manifest: Manifest, kept: NDArray[np.int64], prefix: str, origin: str) -> pa.Table:
    table = manifest.table.take(pa.array(kept))
    if prefix:
        ids = pc.binary_join_element_wise(prefix, table["id"], "")
        table = table.set_column(table.column_names.index("id"), "id", ids)
    return table.append_column(ORIGIN, pa.array([origin] * len(table), type=pa.string()))


def _origin(settings: Settings, manifest: Manifest) -> str:
    """The data's name; of a folder or file, its full path, since many are called "photos"."""
    name = settings.dataset or manifest.name
    scheme = FEATURES if name.startswith(FEATURES) else ""
    path = Path(name.removeprefix(scheme)).expanduser()
    return f"{scheme}{path.absolute()}" if path.exists() else manifest.name
