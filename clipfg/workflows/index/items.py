"""What goes into a store: the items of a data set with their keys, and the encoder of those."""

import logging
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.errors import DataError, StoreError
from clipfg.paths import expanded
from clipfg.printable import storable
from clipfg.store import KeyStore
from clipfg.types import ClassList, Manifest
from clipfg.workflows.dataset import FEATURES, Dataset
from clipfg.workflows.provenance import Provenance
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

ORIGIN = "data"
"""The column that says which data set an item came from."""


@dataclass(frozen=True)
class EmbeddedItems:
    """The items of a data set that could be used, their keys, and all ids that it lists."""

    items: pa.Table
    keys: NDArray[np.float32]
    classes: ClassList | None
    made_by: Provenance
    prompts: str
    origin: str
    listed: frozenset[str]

    def store(self, factory: str = "Flat", seed: int = 0) -> KeyStore:
        """A store of these items alone."""
        return KeyStore.of(
            self.items,
            self.keys,
            classes=self.classes,
            prompts=self.prompts,
            factory=factory,
            seed=seed,
            **vars(self.made_by),
        )


def embed_items(
    session: Session, data: Dataset, store: KeyStore | None = None, prefix: str = ""
) -> EmbeddedItems:
    """The items and keys of `data`, to go into `store`; `prefix` is put before every id.

    The encoder is that of `--model`, else the store's; features from a file need none. Raises
    `StoreError` for another encoder than the store's, before any image is embedded.
    """
    encoder = session.open_encoder_if_needed(data, like=store)
    made_by = session.provenance(data)
    dim = encoder.dim if encoder is not None else data.features.dim  # type: ignore[union-attr]
    if store is not None:
        if encoder is None and "" != made_by.fingerprint == store.fingerprint:
            made_by = Provenance(store.fingerprint, store.model, store.precision)
        _check_store(store, made_by, dim)
        _check_regions(store, data.manifest)
    kept, keys = _keys(session, data, dim)
    origin = _origin(session.options.dataset, data.manifest)
    return EmbeddedItems(
        _items(data.manifest, kept, prefix, origin),
        keys,
        data.manifest.classes,
        made_by,
        prompts=data.manifest.prompts,
        origin=origin,
        listed=frozenset(prefix + identity for identity in data.manifest.ids),
    )


def _check_store(store: KeyStore, made_by: Provenance, dim: int) -> None:
    store.check_encoder(**vars(made_by))
    if dim != store.dim:
        raise StoreError(
            f"Expected features {store.dim} wide, as the store's keys are ({store.encoder}), got"
            f" {dim}; build another store."
        )
    if bool(made_by.fingerprint) != bool(store.fingerprint):
        logger.warning(
            "Either the store or the data set does not say which encoder made its features; if they"
            " differ, their similarities are meaningless."
        )


def _check_regions(store: KeyStore, manifest: Manifest) -> None:
    """Raises `StoreError` where one holds regions of images and the other does not."""
    here, there = ("parent" in t.column_names for t in (manifest.table, store.items))
    if here != there and len(store):
        raise StoreError(
            "Expected regions of images, which the store holds, got whole images; add --regions."
            if there
            else "Expected whole images, as the store holds, got regions; leave out --regions, or"
            " build another store."
        )


def _keys(
    session: Session, data: Dataset, dim: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows of the manifest that could be used `[n]`, and their features `[n, d]`."""
    keys = np.empty((len(data), dim), dtype=np.float32)
    kept: list[NDArray[np.int64]] = []
    rows = 0
    for batch in session.batches(data):
        keys[rows : rows + len(batch)] = batch.vectors
        kept.append(batch.positions)
        rows += len(batch)
    if not rows:
        raise DataError(f"Expected images that can be used, {data.name} has none.")
    return np.concatenate(kept), keys[:rows]


def _items(manifest: Manifest, kept: NDArray[np.int64], prefix: str, origin: str) -> pa.Table:
    table = manifest.table.take(pa.array(kept))
    if prefix:
        ids = pc.binary_join_element_wise(prefix, table["id"], "")
        table = table.set_column(table.column_names.index("id"), "id", ids)
    return table.append_column(ORIGIN, pa.array([origin] * len(table), type=pa.string()))


def _origin(dataset: str | None, manifest: Manifest) -> str:
    """The data set's name; of a folder or file the full path, since many are called "photos"."""
    name = dataset or manifest.name
    scheme = FEATURES if name.startswith(FEATURES) else ""
    path = expanded(name.removeprefix(scheme))
    return storable(f"{scheme}{path.absolute()}") if path.exists() else manifest.name
