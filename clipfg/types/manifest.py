"""Items as an Arrow table, so that a million rows take little memory and time."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.errors import DataError, UsageError
from clipfg.printable import storable
from clipfg.registry import closest
from clipfg.types.class_list import UNLABELLED, ClassList
from clipfg.types.dense import bag_offsets
from clipfg.types.reading import Reading

BOX = pa.list_(pa.float32(), 4)
REGION = pa.struct([("box", BOX), ("phrase", pa.string())])

COLUMNS: dict[str, pa.DataType] = {
    "id": pa.string(),
    "uri": pa.string(),
    "split": pa.string(),
    "label": pa.int32(),
    "box": BOX,
    "confidence": pa.float32(),
    "captions": pa.list_(pa.string()),
    "regions": pa.list_(REGION),
    "bag": pa.string(),
    "group": pa.string(),
    "view": pa.string(),
    "domain": pa.string(),
    "parent": pa.string(),
}
"""Every column a manifest may have. Boxes are `[x0, y0, x1, y1]` in pixels of the upright image,
`confidence` is how sure their source is of them. The items of a bag stand together. A `group` is
what several pictures are of: one plant, bird, lot, burst or camera; null where it is not known."""

REQUIRED = ("id", "uri", "split", "label")


@dataclass(frozen=True)
class Manifest:
    """An immutable table of items to embed, with their metadata."""

    name: str
    """As the user gave it ("flowers102", "photos/")."""
    table: pa.Table
    """Columns `id, uri, split, label` and, where a source has them, the others of `COLUMNS`.
    `label` is an index into `classes`, null where unknown."""
    classes: ClassList | None = None
    expected: int | None = None
    """How many items the official layout lists, where some are missing on disk."""
    prompts: str = "general"
    """The name of the prompt set made for the data."""
    reading: Reading | None = None
    """How the source was understood, where its form left a choice."""

    @classmethod
    def build(
        cls,
        name: str,
        columns: Mapping[str, Sequence[Any] | pa.Array],
        classes: ClassList | None = None,
        expected: int | None = None,
        prompts: str = "general",
        reading: Reading | None = None,
    ) -> Self:
        """Make a manifest from plain columns; `id`, `split` and `label` are optional.

        Raises `DataError` for an unknown or missing column, unequal lengths, a duplicate id, or a
        label outside the class list.
        """
        uris = columns.get("uri", ())
        rows = len(uris)
        given = {"id": uris, "split": [None] * rows, "label": [None] * rows, **columns}
        if set(given) - set(COLUMNS) or "uri" not in given:
            raise DataError(
                f"Expected columns among {', '.join(COLUMNS)} with 'uri' present,"
                f" got {', '.join(sorted(given))}."
            )
        arrays = {}
        for column in [column for column in COLUMNS if column in given]:
            values: Any = given[column]
            kind = COLUMNS[column]
            if len(values) != rows:
                raise DataError(f"Expected {rows} values of {column!r}, got {len(values)}.")
            arrow = isinstance(values, pa.Array | pa.ChunkedArray)
            arrays[column] = values.cast(kind) if arrow else pa.array(values, kind)
        table = pa.table(arrays)
        check_items(table, classes)
        return cls(storable(name), table, classes, expected, prompts, reading)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def ids(self) -> list[str]:
        """The items' ids, unique within the manifest."""
        return self.table["id"].to_pylist()

    @property
    def uris(self) -> list[str]:
        """Where each image is read from: a path, or `scheme:...`."""
        return self.table["uri"].to_pylist()

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class indices `[n]`, `UNLABELLED` (-1) where the class is not known."""
        return pc.fill_null(self.table["label"], UNLABELLED).to_numpy().astype(np.int64)

    @property
    def bags(self) -> NDArray[np.int64] | None:
        """The bag that each item is in `[n]`, numbered from 0; None for data without bags.

        Raises `DataError` for an item in no bag, and for a bag whose items do not stand together.
        """
        if "bag" not in self.table.column_names:
            return None
        column = self.table["bag"].combine_chunks()
        if column.null_count:
            raise DataError(f"Expected a bag for every item, got none for {column.null_count}.")
        numbers = column.dictionary_encode().indices.to_numpy().astype(np.int64)
        bag_offsets(numbers)
        return numbers

    @property
    def groups(self) -> NDArray[np.int64] | None:
        """Numbers of what must stay together `[n]`: parts of one picture, and items of a `group`.

        What is learnt from one of them must not be measured on another. None where each item
        stands alone.
        """
        numbers, pictures = _numbered(self.table["uri"])
        if "group" in self.table.column_names:
            numbers = _joined(numbers, _numbered(self.table["group"])[0])
        elif pictures == len(self):
            return None
        return numbers

    @property
    def splits(self) -> dict[str, int]:
        """The splits and their sizes; items without a split are not counted."""
        counts = pc.value_counts(self.table["split"].combine_chunks())
        pairs = ((row["values"].as_py(), row["counts"].as_py()) for row in counts)
        return dict(sorted((name, count) for name, count in pairs if name is not None))

    def column(self, name: str) -> list[Any] | None:
        """A column as Python values, or None where the data has no such column."""
        return self.table[name].to_pylist() if name in self.table.column_names else None

    def select(self, split: str | None = None, limit: int | None = None) -> Self:
        """The items of one split, in order, and no more than the first `limit` of them.

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

    def draw(self, count: int, seed: int) -> Self:
        """At most `count` items, drawn over classes by a seed, in order.

        Each class has its share of them; those without a label count as one. Of items in bags the
        first are taken, since bags stay whole.
        """
        if count >= len(self) or "bag" in self.table.column_names:
            return replace(self, table=self.table.slice(0, count))
        return replace(self, table=self.table.take(pa.array(drawn(self.labels, count, seed))))

    def together(self) -> Self:
        """The same items, those of a bag together; bags in the order in which they begin."""
        if "bag" not in self.table.column_names:
            return self
        order = np.argsort(_numbered(self.table["bag"])[0], kind="stable")
        return replace(self, table=self.table.take(pa.array(order)))

    def within(self, wanted: str) -> Self:
        """The items of some classes, with those as the class list; unlabelled items are kept.

        `wanted` is as for `ClassList.below`. Raises `UsageError` as that does, and for data without
        class names.
        """
        if self.classes is None:
            raise UsageError(
                f"Expected class names to choose {wanted!r} from, got none with {self.name}."
            )
        names = self.classes.below(wanted)
        places = np.full(len(self.classes) + 1, UNLABELLED)  # the last place is for UNLABELLED
        places[[self.classes.index(name) for name in names]] = np.arange(len(names))
        given = self.labels
        kept = (places[given] != UNLABELLED) | (given == UNLABELLED)
        labels = places[given[kept]]
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
            if self.classes.synonyms:
                others = [self.classes.synonyms, self.classes.silent]
                hasher.update(json.dumps(others, sort_keys=True).encode())
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.table.schema) as writer:
            writer.write_table(self.table.combine_chunks())
        hasher.update(sink.getvalue())
        return hasher.hexdigest()


def _numbered(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], int]:
    """Numbers of a column's values, -1 for null, and how many values there are."""
    coded = column.combine_chunks().dictionary_encode()
    numbers = pc.fill_null(coded.indices, -1).to_numpy().astype(np.int64)
    return numbers, len(coded.dictionary)


def _joined(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of items that are linked by equal numbers in either; -1 in the second links none."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    known = np.flatnonzero(second >= 0)
    ends = (first[known], len(first) + second[known])
    size = (2 * len(first), 2 * len(first))
    linked = coo_array((np.ones(len(known), dtype=np.int8), ends), shape=size)
    parts = connected_components(linked, directed=False)[1][first]
    return np.unique(parts, return_inverse=True)[1].astype(np.int64)


def drawn(labels: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Ascending positions of `count` labels, fewer than there are, drawn over classes by a seed.

    A class with a share `p` of the labels is drawn `count * p` times, rounded up or down.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    _, classes = np.unique(labels, return_inverse=True)
    order = rng.permutation(int(classes.max()) + 1)[classes[shuffled]]
    by_class = shuffled[np.argsort(order, kind="stable")]
    steps = (np.arange(count) + rng.random()) * (len(labels) / count)
    return np.sort(by_class[np.minimum(steps.astype(np.int64), len(labels) - 1)])


def check_items(table: pa.Table, classes: ClassList | None) -> None:
    """Raise `DataError` for a duplicate id, and for a label outside `classes`."""
    ids = table["id"]
    if pc.count_distinct(ids).as_py() != len(ids):
        counts = pc.value_counts(ids.combine_chunks())
        twice = counts.filter(pc.greater(counts.field("counts"), 1))[0].as_py()["values"]
        raise DataError(f"Expected unique ids, got {twice!r} more than once.")
    low, high = pc.min_max(table["label"]).as_py().values()
    count = len(classes) if classes else 0
    if high is not None and not 0 <= low <= high < count:
        raise DataError(f"Expected labels from 0 to {count - 1}, got {low} to {high}.")


@dataclass(frozen=True)
class Failure:
    """An item that could not be used, the stage at which it failed, and why in one sentence."""

    id: str
    uri: str
    stage: str
    reason: str
