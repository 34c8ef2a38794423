"""The nouns that every layer speaks: classes, items, features and failures.

All are immutable. `Manifest` is a table in pyarrow's columns and `Features` a matrix in NumPy's
memory, so that a million rows cost what a million rows should and any library can read them
without a copy.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.errors import DataError, UsageError
from clipfg.registry import closest

UNLABELLED = -1
"""The label index of an item whose class is not known."""

Progress = Callable[[int], None]
"""Called with the number of items finished since the last call."""


@dataclass(frozen=True)
class ClassList:
    """Class names in order, with an optional taxonomy and texts of their own.

    Parameters
    ----------
    names
        One readable name per class; a label is an index into it.
    parents
        Child to parent. Keys are class names or inner nodes (a genus may have a family).
    texts
        Class name to sentences that describe it; templates with `{text}` in them use these.
    levels
        What the steps of the taxonomy are called, nearest first ("genus", "family"), where known.

    Raises `DataError` when the list is empty, a name is blank or occurs twice, or `texts` names
    an unknown class; `parents` that run in a circle too.
    """

    names: tuple[str, ...]
    parents: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    levels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.names:
            raise DataError("Expected at least one class name, got none.")
        seen: set[str] = set()
        for position, name in enumerate(self.names):
            if not name.strip():
                raise DataError(f"Expected a name for class {position}, got a blank one.")
            if name in seen:
                raise DataError(
                    f"Expected each class once, got {name!r} twice; remove one of them."
                )
            seen.add(name)
        for name in self.texts:
            if name not in seen:
                raise DataError(
                    f"Texts are given for {name!r}, which is no class.{closest(name, seen)}"
                )
        for name in self.names:
            self.lineage(name)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.names)}

    def index(self, name: str) -> int:
        """The label of `name`. Raises `DataError` for a name outside the list."""
        try:
            return self._positions[name]
        except KeyError:
            raise DataError(
                f"Expected one of {len(self)} class names, got {name!r}."
                f"{closest(name, self.names)} Add it to the class list or correct the label."
            ) from None

    def lineage(self, name: str) -> tuple[str, ...]:
        """The ancestors of `name`, nearest first: species -> (genus, family)."""
        above: list[str] = []
        while (parent := self.parents.get(name)) is not None:
            if parent in above:
                raise DataError(f"The taxonomy runs in a circle at {parent!r}.")
            above.append(parent)
            name = parent
        return tuple(above)

    def only(self, names: Sequence[str]) -> "ClassList":
        """These classes, with what is known of them."""
        texts = {name: self.texts[name] for name in names if name in self.texts}
        return ClassList(tuple(names), self.parents, texts, self.levels)

    def below(self, wanted: str) -> tuple[str, ...]:
        """The classes that are, or lie below, any of the nodes in `wanted` (commas between).

        Raises `UsageError` for a node that there is not, and where fewer than two classes are left.
        """
        above = {name: {name, *self.lineage(name)} for name in self.names}
        nodes = set().union(*above.values())
        parts = [part.strip() for part in wanted.split(",")]
        asked = {wanted} if wanted in nodes else {part for part in parts if part}
        for node in sorted(asked - nodes):
            raise UsageError(
                f"Expected a class or a group of classes, got {node!r}."
                f"{closest(node, nodes) or self._some_groups()}"
            )
        found = tuple(name for name in self.names if above[name] & asked)
        if len(found) < 2:
            raise UsageError(
                f"Expected two classes or more to tell apart, got {', '.join(found) or 'none'}"
                f" within {wanted!r}."
            )
        return found

    def _some_groups(self) -> str:
        tops = dict.fromkeys(above[-1] for name in self.names if (above := self.lineage(name)))
        if not tops:
            return " These classes have no parents, and so no groups."
        listed = ", ".join(list(tops)[:5]) + (", ..." if len(tops) > 5 else "")
        return f" The widest groups: {listed}."

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._positions


REGION = pa.struct([("box", pa.list_(pa.float32(), 4)), ("phrase", pa.string())])
BOX = pa.list_(pa.float32(), 4)

COLUMNS: dict[str, pa.DataType] = {
    "id": pa.string(),
    "uri": pa.string(),
    "split": pa.string(),
    "label": pa.int32(),
    "box": BOX,
    "caption": pa.string(),
    "regions": pa.list_(REGION),
    "bag": pa.string(),
    "view": pa.string(),
    "domain": pa.string(),
    "parent": pa.string(),
}
"""Every column a manifest may have; boxes are `[x0, y0, x1, y1]` in pixels of the full picture."""

REQUIRED = ("id", "uri", "split", "label")


@dataclass(frozen=True)
class Manifest:
    """An immutable table of items: what to embed, and what is known of each.

    Parameters
    ----------
    name
        What the person called the data ("flowers102", "photos/").
    table
        Columns `id, uri, split, label` and, where a source has them, the others of `COLUMNS`.
        `label` is an index into `classes`, null where unknown.
    classes
        The class list, or None for a set with no labels at all.
    expected
        How many items the official layout lists, where some are not on disk.
    prompts
        The name of the prompt set that suits the data.
    """

    name: str
    table: pa.Table
    classes: ClassList | None = None
    expected: int | None = None
    prompts: str = "general"

    @classmethod
    def build(
        cls,
        name: str,
        columns: Mapping[str, Sequence[Any] | pa.Array],
        classes: ClassList | None = None,
        expected: int | None = None,
        prompts: str = "general",
    ) -> Self:
        """Make a manifest from plain columns; `split` and `label` may be left out.

        Raises `DataError` for an unknown or missing column, unequal lengths, an id that occurs
        twice, or a label outside the class list.
        """
        given = dict(columns)
        rows = len(given.get("uri", ()))
        given.setdefault("id", given.get("uri", ()))
        given.setdefault("split", [None] * rows)
        given.setdefault("label", [None] * rows)
        unknown = sorted(set(given) - set(COLUMNS))
        if unknown or "uri" not in given:
            raise DataError(
                f"Expected columns among {', '.join(COLUMNS)} with 'uri' present,"
                f" got {', '.join(sorted(given))}."
            )
        arrays, names = [], []
        for column, kind in COLUMNS.items():
            if column not in given:
                continue
            values = given[column]
            if len(values) != rows:
                raise DataError(f"Expected {rows} values of {column!r}, got {len(values)}.")
            if isinstance(values, pa.Array | pa.ChunkedArray):
                arrays.append(values.cast(kind))
            else:
                arrays.append(pa.array(values, type=kind))
            names.append(column)
        manifest = cls(name, pa.table(arrays, names=names), classes, expected, prompts)
        manifest._check()
        return manifest

    def _check(self) -> None:
        ids = self.table["id"]
        if pc.count_distinct(ids).as_py() != len(ids):
            counts = pc.value_counts(ids.combine_chunks())
            twice = next(row["values"].as_py() for row in counts if row["counts"].as_py() > 1)
            raise DataError(f"Expected each id once, got {twice!r} more than once.")
        bounds = pc.min_max(self.table["label"]).as_py()
        if bounds["max"] is not None:
            count = len(self.classes) if self.classes else 0
            if bounds["min"] < 0 or bounds["max"] >= count:
                raise DataError(
                    f"Expected labels from 0 to {count - 1},"
                    f" got {bounds['min']} to {bounds['max']}."
                )

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def ids(self) -> list[str]:
        """The items' ids, unique within the manifest."""
        return self.table["id"].to_pylist()

    @property
    def uris(self) -> list[str]:
        """Where each picture is read from: a path, or `scheme:...`."""
        return self.table["uri"].to_pylist()

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class indices `[n]`, `UNLABELLED` (-1) where the class is not known."""
        filled = pc.fill_null(self.table["label"], UNLABELLED)
        return filled.to_numpy().astype(np.int64)

    @property
    def splits(self) -> dict[str, int]:
        """The splits that occur and their sizes; items of no split are left out."""
        counts = pc.value_counts(self.table["split"].combine_chunks())
        pairs = ((row["values"].as_py(), row["counts"].as_py()) for row in counts)
        return dict(sorted((name, count) for name, count in pairs if name is not None))

    def column(self, name: str) -> list[Any] | None:
        """An optional column as Python values, or None where the source has none."""
        return self.table[name].to_pylist() if name in self.table.column_names else None

    def select(self, split: str | None = None, limit: int | None = None) -> Self:
        """The items of one split, and of those at most `limit`, in order.

        Raises `UsageError` when the data has no such split.
        """
        table = self.table
        if split is not None:
            if split not in self.splits:
                raise UsageError(
                    f"Expected a split of {self.name}, got {split!r}.{closest(split, self.splits)}"
                    f" It has: {', '.join(self.splits) or 'no splits'}."
                )
            table = table.filter(pc.equal(table["split"], split))
        if limit is not None:
            table = table.slice(0, limit)
        return replace(self, table=table)

    def within(self, wanted: str) -> Self:
        """The items of some classes, told apart among those alone; items of no label stay.

        Raises `UsageError` as `ClassList.below` does, and where the data brings no class names.
        """
        if self.classes is None:
            raise UsageError(
                f"Expected class names to choose {wanted!r} from, and {self.name} brings none."
            )
        names = self.classes.below(wanted)
        places = np.full(len(self.classes) + 1, UNLABELLED)  # the last is that of no label
        places[[self.classes.index(name) for name in names]] = np.arange(len(names))
        kept = (places[self.labels] != UNLABELLED) | (self.labels == UNLABELLED)
        labels = places[self.labels[kept]]
        table = self.table.filter(pa.array(kept))
        column = pa.array(labels, pa.int32(), mask=labels == UNLABELLED)
        table = table.set_column(table.column_names.index("label"), "label", column)
        return replace(self, table=table, classes=self.classes.only(names))

    @cached_property
    def digest(self) -> str:
        """A hash of every cell and class name: equal digests mean the same data."""
        hasher = hashlib.blake2b(digest_size=16)
        if self.classes:
            hasher.update(repr((self.classes.names, sorted(self.classes.parents.items()))).encode())
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.table.schema) as writer:
            writer.write_table(self.table.combine_chunks())
        hasher.update(sink.getvalue())
        return hasher.hexdigest()


@dataclass(frozen=True)
class Failure:
    """An item that could not be used: which, at what stage, and why, in one sentence."""

    id: str
    uri: str
    stage: str
    reason: str


@dataclass(frozen=True)
class Features:
    """Embedded items: unit-norm rows with ids, and labels where they are known.

    Rows are normalised here, once, and nowhere else.

    Parameters
    ----------
    ids
        One id per row.
    pooled
        Float32 `[n, d]`. Any finite, non-zero rows are taken; they are scaled to unit norm.
    labels
        Class indices `[n]`, `UNLABELLED` where unknown.
    classes
        The class list that `labels` index.
    fingerprint
        Of the encoder that made them (weights, preprocessing and precision).
    manifest
        `Manifest.digest` of the items.
    splits
        One split name per row, or empty.
    patches, bag_offsets
        Patch tokens `[n, p, d]`, and the first row of each bag, for methods that need them.

    Raises `DataError` for mismatched lengths and for rows that are zero or not finite.
    """

    ids: tuple[str, ...]
    pooled: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: ClassList | None = None
    fingerprint: str = ""
    manifest: str = ""
    splits: tuple[str | None, ...] = ()
    patches: NDArray[np.float32] | None = None
    bag_offsets: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.pooled.ndim != 2:
            raise DataError(
                f"Expected features of shape [n, d], got an array of shape {self.pooled.shape}."
            )
        rows = len(self.pooled)
        for name, length in (
            ("ids", len(self.ids)),
            ("labels", len(self.labels)),
            ("splits", len(self.splits) or rows),
        ):
            if length != rows:
                raise DataError(f"Expected {rows} {name}, one per feature row, got {length}.")
        object.__setattr__(self, "pooled", unit_norm(self.pooled))
        object.__setattr__(self, "labels", np.asarray(self.labels, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.pooled)

    @property
    def dim(self) -> int:
        """The width `d` of a feature."""
        return int(self.pooled.shape[1])

    def rows(self, which: NDArray[Any] | Iterable[int]) -> Self:
        """The rows that an index array or a boolean mask picks, in its order."""
        index = np.asarray(which if isinstance(which, np.ndarray) else list(which))
        positions = np.flatnonzero(index) if index.dtype == bool else index
        return replace(
            self,
            ids=tuple(self.ids[i] for i in positions),
            pooled=self.pooled[positions],
            labels=self.labels[positions],
            splits=tuple(self.splits[i] for i in positions) if self.splits else (),
            patches=None if self.patches is None else self.patches[positions],
            bag_offsets=None,
        )


def unit_norm(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Rows `[n, d]` scaled to Euclidean norm 1, as float32.

    Rows already within 1e-6 of unit norm are returned bit for bit, so that features survive a
    round trip through a file unchanged. Raises `DataError` for a zero or non-finite row.
    """
    matrix = np.ascontiguousarray(rows, dtype=np.float32)
    norms = np.sqrt(np.einsum("nd,nd->n", matrix, matrix, dtype=np.float64))
    bad = np.flatnonzero(~np.isfinite(norms) | (norms == 0))
    if bad.size:
        raise DataError(
            f"Expected finite, non-zero features, got {bad.size} that are not"
            f" (first: row {bad[0]})."
        )
    off = np.abs(norms - 1) > 1e-6
    if not off.any():
        return matrix
    scale = np.where(off, norms, 1.0)[:, None]
    return (matrix / scale).astype(np.float32)
