"""Approximate indexes: FAISS finds candidates without comparing every key.

An index is trained on a seeded sample of the keys. Its recall is measured when it is built, with
keys as queries that it was not trained on and does not contain yet.
"""

import logging
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from clipfg.errors import StoreError, UsageError
from clipfg.store.folder import StoreWriter
from clipfg.store.gpu import MOST_WIDTH, on_gpu
from clipfg.store.searching import (
    BLOCK,
    NOTHING,
    Hits,
    Matrix,
    Names,
    Positions,
    search_all,
    settle,
)
from clipfg.store.state import StoredFile

logger = logging.getLogger("clipfg")

FLAT = "Flat"
OVERSAMPLE = 4
"""Candidates per wanted neighbour: the index's scores are approximate, and the keys decide."""
HELD_OUT = 1000
"""Keys on which recall is measured; a tenth of a small store."""
AT = 10
"""Recall is measured at the 10 nearest."""
ENOUGH = 0.95
"""Search effort (nprobe, efSearch) is doubled until recall reaches this or stops rising."""
EFFORTS = {"IVF": ("nprobe", 1), "HNSW": ("efSearch", 16)}
MOST_EFFORT = 1024
FEW = 4096
"""Lists that are allowed for any number of keys, and widths of transforms."""
MOST_BITS = 16
"""Bits of a code: 2 to their power centroids are trained."""
LONGEST = 100
"""Characters of a description."""
MOST_TRAINING = 262_144
"""The most keys that an index is trained on."""


@dataclass
class Index:
    """How keys are searched: "Flat", which is exact and needs no file, or a FAISS factory.

    The FAISS index is built when it is first needed, which sets `recall` (of the 10 nearest keys)
    and the search `effort` as FAISS calls it ("nprobe=8"). Appended keys are added to it at the
    next search; after any other change the trained index is emptied and filled again. A GPU index,
    which does not support removal, is filled from the keys in the same way; any `device` but "cpu"
    is a GPU if FAISS finds one.
    """

    factory: str = FLAT
    seed: int = 0
    recall: float | None = None
    effort: str = ""
    file: Path | None = None
    device: str = "auto"
    _index: Any = field(default=None, repr=False)
    _gpu: Any = field(default=None, repr=False)

    def search(self, queries: Matrix, keys: Matrix, k: int, names: Names) -> Hits:
        """The k nearest of all keys, or those of them that the index finds."""
        width = min(OVERSAMPLE * k, len(keys))
        if self.factory == FLAT or width == 0:
            gpu = self._on_gpu(keys)
            return search_all(queries, keys, k, names, propose=gpu.search if gpu else None)
        index = (self._on_gpu(keys) if width <= MOST_WIDTH else None) or self._filled(keys)
        _, found = index.search(queries, width)
        found[found >= len(keys)] = NOTHING  # a damaged file might say so
        hits = settle(queries, keys, found, k, names)
        few = np.flatnonzero(hits.positions[:, min(k, len(keys)) - 1] == NOTHING)
        if few.size:  # fewer keys than wanted in the lists that were looked into
            whole = search_all(queries[few], keys, k, names)
            hits.positions[few], hits.scores[few] = whole.positions, whole.scores
        return hits

    def extended(self) -> None:
        """Note that keys were appended; they are added at the next search or save."""
        self._gpu = None

    def reset(self) -> None:
        """Note that keys were changed or removed; the training is kept."""
        self._gpu = None
        self._own()
        if self._index is not None:
            self._index.reset()

    def write(self, writer: StoreWriter, keys: Matrix) -> StoredFile | None:
        """The index's file, or None for Flat. Raises as `StoreWriter.add` does."""
        if self.factory == FLAT:
            return None
        index = self._filled(keys)
        return writer.add("index", "faiss", lambda path: faiss.write_index(index, str(path)))

    def open(self) -> int:
        """Memory-map the file, read-only, and return the number of keys in it.

        Little of it is read before the first search. Raises `FileNotFoundError` when it has been
        deleted, `StoreError` when it is damaged.
        """
        assert self.file is not None
        try:
            self._index = faiss.read_index(str(self.file), faiss.IO_FLAG_MMAP_IFC)
            return int(self._index.ntotal)
        except RuntimeError as error:
            if not self.file.exists():
                raise FileNotFoundError(2, "no such file", str(self.file)) from None
            raise StoreError(
                f"Expected a FAISS index in {self.file}, got: {_reason(error)}; build the store"
                " again."
            ) from None

    def _filled(self, keys: Matrix) -> Any:
        if self._index is not None and self._index.ntotal < len(keys):
            self._own()
        if self._index is None:
            self._build(keys)
        _add(self._index, keys, np.arange(self._index.ntotal, len(keys)))
        return self._index

    def _own(self) -> None:
        """Read the mapped file into memory, where it can change; forget a file that was deleted."""
        if self.file is not None:
            place, self.file = self.file, None
            self._index = faiss.read_index(str(place)) if place.exists() else None

    def _build(self, keys: Matrix) -> None:
        _check_sizes(self.factory, len(keys))
        index = faiss.IndexIDMap2(_make(self.factory, keys.shape[1]))
        order = np.random.default_rng(self.seed).permutation(len(keys))
        held, rest = np.split(order, [min(HELD_OUT, len(keys) // 10)])
        try:
            index.train(keys[np.sort(rest[:MOST_TRAINING])])
        except RuntimeError as error:
            raise UsageError(
                f"Expected enough keys to train the index {self.factory!r}, got {len(rest):,}:"
                f" {_reason(error)}; try Flat or a smaller index."
            ) from None
        _add(index, keys, np.sort(rest))
        if len(held):
            self.recall, self.effort = _tune(index, self.factory, keys, held, np.sort(rest))
            logger.info(
                f"Index {self.factory}{f' ({self.effort})' if self.effort else ''}:"
                f" recall@{AT} {self.recall:.3f} on {len(held):,} held-out keys"
            )
        _add(index, keys, np.sort(held))
        self._index = index

    def _on_gpu(self, keys: Matrix) -> Any | None:
        if self.device == "cpu":
            return None
        if self._gpu is None:
            self._gpu = on_gpu(lambda: self._trained(keys), keys) or False
        return self._gpu or None

    def _trained(self, keys: Matrix) -> Any:
        """The trained index that is copied to a GPU and filled there."""
        if self.factory == FLAT:
            return faiss.IndexFlatIP(keys.shape[1])
        return self._filled(keys).index


def _check_sizes(factory: str, rows: int) -> None:
    """Raise `UsageError` for more lists than keys, or huge codes: FAISS allocates them at once."""
    most = max(rows, FEW)
    sizes = [int(word) for word in re.findall(r"\d+", factory[:LONGEST])]
    pairs = [(int(a), int(b)) for a, b in re.findall(r"(\d+)x(\d+)", factory[:LONGEST])]
    lists = [a * b for a, b in pairs if "IMI" in factory]  # bits of their number
    if (
        len(factory) > LONGEST
        or max(sizes, default=0) > most
        or max((bits for _, bits in pairs), default=0) > MOST_BITS
        or max(lists, default=0) > math.log2(most)
    ):
        raise UsageError(
            f"Expected an index of a size that {rows:,} keys can fill, got {factory[:LONGEST]!r};"
            " try Flat or fewer lists."
        )


def _make(factory: str, dim: int) -> Any:
    try:
        index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise UsageError(
            f"Expected a FAISS factory such as Flat, IVF1024,Flat, HNSW32 or OPQ64,IVF1024,PQ64 for"
            f" keys {dim} wide, got {factory!r}: {_reason(error)}."
        ) from None
    _without_polysemous(index)
    return index


def _without_polysemous(index: Any) -> None:
    """Turn off the polysemous training of product quantisers, which takes minutes.

    It only serves comparisons of codes by Hamming distance, which are not used here.
    """
    part = faiss.downcast_index(index)
    if hasattr(part, "do_polysemous_training"):
        part.do_polysemous_training = False
    for name in ("index", "base_index"):  # below a transform or a refinement
        if hasattr(part, name):
            _without_polysemous(getattr(part, name))


def _add(index: Any, keys: Matrix, rows: Positions) -> None:
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        index.add_with_ids(keys[part], part)


def _tune(
    index: Any, factory: str, keys: Matrix, held: Positions, rest: Positions
) -> tuple[float, str]:
    """The recall and the name of the lowest search effort whose recall is `ENOUGH`."""
    queries = np.ascontiguousarray(keys[held])
    k = min(AT, len(rest))

    def names(positions: Positions) -> list[str]:
        return [""] * len(positions)

    exact = search_all(queries, keys, k, names, rest)
    name, value = next((v for kind, v in EFFORTS.items() if kind in factory), ("", MOST_EFFORT))
    best = -1.0
    while True:
        if name:
            faiss.ParameterSpace().set_index_parameter(index, name, value)
        _, found = index.search(queries, min(OVERSAMPLE * k, len(rest)))
        # By score: any of the keys that tie for the last place counts as found.
        scores = settle(queries, keys, found, k, names).scores
        recall = float((scores >= exact.scores[:, -1:]).mean())
        risen, best = recall - best, recall
        if recall >= ENOUGH or value >= MOST_EFFORT or risen < 0.001:
            return recall, f"{name}={value}" if name else ""
        value *= 2


def _reason(error: RuntimeError) -> str:
    """FAISS's message without the place in its code."""
    return str(error).rsplit(": ", 1)[-1].strip().splitlines()[0]
