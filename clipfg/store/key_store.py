"""Keys with their items: a unit-norm feature for each row of a table, searched by cosine."""

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg import __version__
from clipfg.errors import StoreError
from clipfg.registry import closest
from clipfg.store import files, folder, verifying
from clipfg.store.index import FLAT, Index
from clipfg.store.items import as_items, combined
from clipfg.store.searching import Hits, search_all
from clipfg.store.state import METRIC, StoreState
from clipfg.types import UNLABELLED, ClassList, unit_norm


@dataclass(eq=False)
class KeyStore:
    """Items and their keys. Changes are made in memory; `save` commits them to a folder.

    The encoder that made the keys (`model`, `precision`, `fingerprint`) and the prompt set made for
    the items (`prompts`) are empty where unknown.
    """

    items: pa.Table
    """Columns `id, uri, split, label`, and others that were given; a row for each key."""
    keys: NDArray[np.float32]
    """Unit norm `[n, d]`; after `load` they are mapped from the file, not read."""
    _: KW_ONLY
    classes: ClassList | None = None
    model: str = ""
    precision: str = ""
    fingerprint: str = ""
    prompts: str = ""
    index: Index = field(default_factory=Index)

    @classmethod
    def of(
        cls,
        items: pa.Table,
        keys: NDArray[np.float32],
        *,
        classes: ClassList | None = None,
        model: str = "",
        precision: str = "",
        fingerprint: str = "",
        prompts: str = "",
        factory: str = FLAT,
        seed: int = 0,
    ) -> Self:
        """A store of items `[n]` (columns `id, uri` and, where known, `split, label`) and their
        keys `[n, d]`, which are scaled to unit norm.

        `factory` is "Flat" (exact) or any description that `faiss.index_factory` takes, `seed` that
        of the sample on which such an index is trained. Raises `StoreError` for duplicate ids,
        labels outside `classes` and unequal lengths, `DataError` for keys that are zero or not
        finite.
        """
        return cls(
            as_items(items, len(keys), classes),
            unit_norm(keys),
            classes=classes,
            model=model,
            precision=precision,
            fingerprint=fingerprint,
            prompts=prompts,
            index=Index(factory, seed),
        )

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def dim(self) -> int:
        """The width `d` of a key."""
        return int(self.keys.shape[1])

    @property
    def ids(self) -> list[str]:
        """The items' ids, which are unique."""
        return self.items["id"].to_pylist()

    @property
    def uris(self) -> list[str]:
        """Where each item's image is read from."""
        return self.items["uri"].to_pylist()

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class indices `[n]`, -1 where the class is unknown."""
        return pc.fill_null(self.items["label"], UNLABELLED).to_numpy().astype(np.int64)

    @property
    def encoder(self) -> str:
        """The encoder, as messages describe it."""
        return _encoder(self.model, self.precision, self.fingerprint)

    def rows(self, ids: list[str]) -> NDArray[np.int64]:
        """The rows of some ids, -1 for those that are not in the store."""
        known = self.items["id"].combine_chunks()
        found = pc.index_in(pa.array(ids, type=pa.string()), value_set=known)
        return pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)

    def add(
        self, items: pa.Table, keys: NDArray[np.float32], *, classes: ClassList | None = None
    ) -> None:
        """Append new items with their keys.

        Their labels index `classes`, by default the store's own; new class names are appended to
        the store's. Raises `StoreError` for an id that is in the store already.
        """
        keys = self._checked(keys)
        if len(items) != len(keys):
            raise StoreError(f"Expected a key for each of {len(items)} items, got {len(keys)}.")
        self.items, self.classes = combined(self.items, self.classes, items, classes)
        self.keys = np.concatenate([self.keys, keys]) if len(self) else keys
        self.index.extended()

    def update(
        self,
        ids: list[str],
        keys: NDArray[np.float32],
        items: pa.Table | None = None,
        *,
        classes: ClassList | None = None,
    ) -> None:
        """Replace the keys of items and, where `items` are given, their columns.

        Labels of `items` index `classes`, as in `add`. Raises `StoreError` for an unknown id.
        """
        rows = self._rows(ids)
        keys = self._checked(keys)
        if len(ids) != len(keys):
            raise StoreError(f"Expected a key for each of {len(ids)} ids, got {len(keys)} keys.")
        if not len(rows):
            return
        if items is not None:
            self.items, self.classes = combined(self.items, self.classes, items, classes, rows)
        changed = np.array(self.keys)  # the file that it may be mapped from stays as it is
        changed[rows] = keys
        self.keys = changed
        self.index.reset()

    def remove(self, ids: list[str]) -> None:
        """Remove items. Raises `StoreError` for an unknown id, and then removes none."""
        stay = np.ones(len(self), dtype=bool)
        stay[self._rows(ids)] = False
        if stay.all():
            return
        self.items = self.items.filter(pa.array(stay)).combine_chunks()
        self.keys = self.keys[stay]
        self.index.reset()

    def check_encoder(self, fingerprint: str, model: str = "", precision: str = "") -> None:
        """Raises `StoreError` for the fingerprint of another encoder than the store's."""
        if self.fingerprint and fingerprint and fingerprint != self.fingerprint:
            raise StoreError(
                f"Expected features of the store's encoder, {self.encoder}, got those of"
                f" {_encoder(model, precision, fingerprint)}; give the store's --model and"
                " --precision, or build another store."
            )

    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        where: NDArray[np.bool_] | None = None,
        fingerprint: str | None = None,
        *,
        metric: str = METRIC,
    ) -> Hits:
        """The k nearest keys of each query `[q, d]`, by cosine; see `Hits`.

        With "Flat" the result is exact. Any other index finds candidates, which are then scored by
        their keys. `where` `[n]` is a mask of the keys to search; these are always searched
        exactly.

        Raises `StoreError` for queries of another width, encoder or metric, and `DataError` for
        queries that are zero or not finite.
        """
        if metric != METRIC:
            raise StoreError(f"Expected the metric {METRIC}, got {metric!r}.")
        self.check_encoder(fingerprint or "")
        vectors = self._checked(queries)
        if k < 1:
            raise StoreError(f"Expected k of at least 1, got {k}.")
        if where is not None:
            where = np.asarray(where)
            if where.dtype != bool or where.shape != (len(self),):
                raise StoreError(
                    f"Expected `where` as {len(self)} booleans, one per key, got {where.dtype} of"
                    f" shape {where.shape}."
                )
            return search_all(vectors, self.keys, k, self._names, np.flatnonzero(where))
        return self.index.search(vectors, self.keys, k, self._names)

    def save(self, path: Path | str) -> None:
        """Commit to a folder, in one step.

        Raises `StoreError` when another run is writing there, or the folder cannot be written; the
        store in it is then unchanged.
        """
        with folder.writing(Path(path)) as writer:
            self.commit(writer)

    def commit(self, writer: folder.StoreWriter) -> StoreState:
        """As `save`, for a caller that holds the folder's lock since before it read the store."""
        state = StoreState(
            clipfg=__version__,
            revision=token_hex(8),
            rows=len(self),
            dim=self.dim,
            model=self.model,
            precision=self.precision,
            fingerprint=self.fingerprint,
            prompts=self.prompts,
            factory=self.index.factory,
            keys=files.write_keys(writer, self.keys),
            items=files.write_items(writer, self.items),
            index=self.index.write(writer, self.keys),
            recall=self.index.recall,
            effort=self.index.effort,
            classes=None if self.classes is None else self.classes.to_dict(),
        )
        writer.commit(state)
        verifying.remember(writer.path, verifying.signatures(writer.path, state))
        return state

    @classmethod
    def load(cls, path: Path | str, *, afresh: bool = False) -> Self:
        """Open a store, whose keys are mapped. Its files are read once after each change, to verify
        them (`verify_once`); `afresh` reads them in any case, for what is to be rewritten.

        Raises `StoreError` when there is no store, or a file of it is missing or damaged.
        """
        place, verified = Path(path), verifying.check if afresh else verifying.verify_once

        def checked_state(state: StoreState) -> StoreState:
            verified(place, state)
            return state

        return folder.opened(place, lambda state: cls._of_state(place, checked_state(state)))

    @classmethod
    def _of_state(cls, path: Path, state: StoreState) -> Self:
        return cls(
            files.map_items(path, state),
            files.map_keys(path, state),
            classes=state.class_list(),
            model=state.model,
            precision=state.precision,
            fingerprint=state.fingerprint,
            prompts=state.prompts,
            index=files.open_index(path, state),
        )

    def _checked(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        matrix = np.asarray(vectors)
        if matrix.ndim != 2 or matrix.shape[1] != self.dim:
            raise StoreError(
                f"Expected vectors of shape [q, {self.dim}], the width of the store's keys"
                f" ({self.encoder}), got {matrix.shape}."
            )
        return unit_norm(matrix)

    def _rows(self, ids: list[str]) -> NDArray[np.int64]:
        rows = self.rows(ids)
        missing = np.flatnonzero(rows < 0)
        if missing.size:
            name = ids[missing[0]]
            raise StoreError(
                f"Expected ids of the store, got {name!r}."
                f"{closest(name, self.ids) if len(self) < 100_000 else ''}"
            )
        return rows

    def _names(self, positions: NDArray[np.int64]) -> list[str]:
        return self.items["id"].take(pa.array(positions)).to_pylist()


def _encoder(model: str, precision: str, fingerprint: str) -> str:
    name = model or "an unnamed encoder"
    form = f" in {precision}" if precision else ""
    return f"{name}{form} (fingerprint {fingerprint[:12] or 'unknown'})"
