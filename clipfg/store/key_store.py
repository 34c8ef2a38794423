"""Keys with what they stand for: items in columns, one unit-norm row each, searched by cosine."""

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
from clipfg.store import files, folder
from clipfg.store.index import FLAT, Index
from clipfg.store.items import appended, as_items, replaced, rows_of
from clipfg.store.searching import Hits, search_all
from clipfg.store.state import METRIC, StoreState, class_fields
from clipfg.types import UNLABELLED, ClassList, unit_norm


class KeyStore:
    """Items and their keys. Changes happen in memory; `save` commits them to a folder.

    Attributes
    ----------
    items
        Columns `id, uri, split, label`, and others that were given; a row for each key.
    keys
        Float32 `[n, d]`, unit norm; after `load` they are mapped from the file and not yet read.
    classes
        The names that labels index.
    model, precision, fingerprint
        The encoder that made the keys; empty where it is not known.
    prompts
        The name of the prompt set that suits the items; empty where it is not known.
    factory
        How keys are searched: "Flat" (exact), or any description that `faiss.index_factory` takes.
    """

    def __init__(
        self,
        items: pa.Table,
        keys: NDArray[np.float32],
        *,
        classes: ClassList | None = None,
        model: str = "",
        precision: str = "",
        fingerprint: str = "",
        prompts: str = "",
        index: Index | None = None,
    ) -> None:
        self.items = items
        self.keys = keys
        self.classes = classes
        self.model = model
        self.precision = precision
        self.fingerprint = fingerprint
        self.prompts = prompts
        self._index = index or Index(FLAT)

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

        `seed` is that of the sample on which an index other than Flat is trained. Raises
        `StoreError` for ids that occur twice, labels outside `classes` and unequal lengths,
        `DataError` for keys that are zero or not finite.
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
    def factory(self) -> str:
        """How keys are searched."""
        return self._index.factory

    @property
    def device(self) -> str:
        """Where keys are searched: "cpu", or anything else for GPUs where FAISS finds any."""
        return self._index.device

    @device.setter
    def device(self, name: str) -> None:
        self._index.device = name

    @property
    def recall(self) -> float | None:
        """The share of the true 10 nearest that the index finds, measured when it was built."""
        return self._index.recall

    @property
    def effort(self) -> str:
        """How hard the index looks, in FAISS's words: "nprobe=8"."""
        return self._index.effort

    @property
    def ids(self) -> list[str]:
        """The items' ids, each once."""
        return self.items["id"].to_pylist()

    @property
    def uris(self) -> list[str]:
        """Where each item's image is read from."""
        return self.items["uri"].to_pylist()

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class indices `[n]`, -1 where the class is not known."""
        filled = pc.fill_null(self.items["label"], UNLABELLED)
        return filled.to_numpy().astype(np.int64)

    @property
    def encoder(self) -> str:
        """The encoder in words, for messages."""
        return _encoder(self.model, self.precision, self.fingerprint)

    def rows(self, ids: list[str]) -> NDArray[np.int64]:
        """Where these ids stand, -1 for those that are not here."""
        return rows_of(self.items, ids)

    def add(
        self, items: pa.Table, keys: NDArray[np.float32], *, classes: ClassList | None = None
    ) -> None:
        """Append new items with their keys.

        Their labels index `classes`, by default the store's own; names that the store does not know
        are appended to its list. Raises `StoreError` for an id that is here already.
        """
        keys = self._checked(keys)
        if len(items) != len(keys):
            raise StoreError(f"Expected a key for each of {len(items)} items, got {len(keys)}.")
        self.items, self.classes = appended(self.items, self.classes, items, classes)
        self.keys = np.concatenate([self.keys, keys]) if len(self) else keys
        self._index.extended()

    def update(
        self,
        ids: list[str],
        keys: NDArray[np.float32],
        items: pa.Table | None = None,
        *,
        classes: ClassList | None = None,
    ) -> None:
        """Replace the keys of items that are here and, with `items`, what is known of them.

        Labels of `items` index `classes`, as in `add`. Raises `StoreError` for an unknown id.
        """
        rows = self._rows(ids)
        keys = self._checked(keys)
        if len(ids) != len(keys):
            raise StoreError(f"Expected a key for each of {len(ids)} ids, got {len(keys)} keys.")
        if not len(rows):
            return
        if items is not None:
            self.items, self.classes = replaced(self.items, self.classes, rows, items, classes)
        changed = np.array(self.keys)  # what is mapped from a file stays as it is
        changed[rows] = keys
        self.keys = changed
        self._index.reset()

    def remove(self, ids: list[str]) -> None:
        """Forget items. Raises `StoreError` for an unknown id, and then removes none."""
        stay = np.ones(len(self), dtype=bool)
        stay[self._rows(ids)] = False
        if stay.all():
            return
        self.items = self.items.filter(pa.array(stay)).combine_chunks()
        self.keys = self.keys[stay]
        self._index.reset()

    def check_encoder(self, fingerprint: str, model: str = "", precision: str = "") -> None:
        """Raises `StoreError` when features of another encoder would meet these keys."""
        if self.fingerprint and fingerprint and fingerprint != self.fingerprint:
            raise StoreError(
                f"Expected features of the store's encoder, {self.encoder}, got those of"
                f" {_encoder(model, precision, fingerprint)}; name the --model and --precision of"
                " the store, or build another store."
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

        With "Flat" the answer is exact. Any other index proposes, and the keys themselves decide
        among what it proposes. `where` `[n]` leaves keys out: those that remain are searched
        exactly, however few they are.

        Raises `StoreError` for queries of another width, encoder or metric, and `DataError` for
        queries that are zero or not finite.
        """
        if metric != METRIC:
            raise StoreError(f"Expected queries compared by {METRIC}, got {metric!r}.")
        self.check_encoder(fingerprint or "")
        vectors = self._checked(queries)
        if k < 1:
            raise StoreError(f"Expected to look for one key or more, got k = {k}.")
        if where is not None:
            where = np.asarray(where)
            if where.dtype != bool or where.shape != (len(self),):
                raise StoreError(
                    f"Expected `where` as {len(self)} truth values, one a key, got"
                    f" {where.dtype} of shape {where.shape}."
                )
            return search_all(vectors, self.keys, k, self._names, np.flatnonzero(where))
        return self._index.search(vectors, self.keys, k, self._names)

    def save(self, path: Path | str) -> None:
        """Commit to a folder, which changes from what it held to this in one step.

        Raises `StoreError` when another is writing there, or it cannot be written; what it held is
        then as it was.
        """
        with folder.writing(Path(path)) as writer:
            self.commit(writer)

    def commit(self, writer: folder.StoreWriter) -> StoreState:
        """As `save`, for one who holds the folder's lock since before reading it."""
        state = StoreState(
            clipfg=__version__,
            revision=token_hex(8),
            rows=len(self),
            dim=self.dim,
            model=self.model,
            precision=self.precision,
            fingerprint=self.fingerprint,
            prompts=self.prompts,
            factory=self.factory,
            keys=files.write_keys(writer, self.keys),
            items=files.write_items(writer, self.items),
            index=self._index.write(writer, self.keys),
            recall=self.recall,
            effort=self.effort,
            classes=class_fields(self.classes),
        )
        writer.commit(state)
        return state

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Open a store without reading its keys; sizes and headers are checked.

        Raises `StoreError` when there is none, or one of its files is missing or damaged.
        """
        return folder.opened(Path(path), lambda state: cls._of_state(Path(path), state))

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
                f"Expected vectors of shape [q, {self.dim}], as the store's keys are"
                f" ({self.encoder}), got {matrix.shape}."
            )
        return unit_norm(matrix)

    def _rows(self, ids: list[str]) -> NDArray[np.int64]:
        rows = self.rows(ids)
        missing = np.flatnonzero(rows < 0)
        if missing.size:
            name = ids[missing[0]]
            raise StoreError(
                f"Expected ids that are in the store, got {name!r}."
                f"{closest(name, self.ids) if len(self) < 100_000 else ''}"
            )
        return rows

    def _names(self, positions: NDArray[np.int64]) -> list[str]:
        return self.items["id"].take(pa.array(positions)).to_pylist()


def _encoder(model: str, precision: str, fingerprint: str) -> str:
    name = model or "an encoder that is not named"
    form = f" in {precision}" if precision else ""
    return f"{name}{form} (fingerprint {fingerprint[:12] or 'unknown'})"
