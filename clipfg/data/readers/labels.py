"""From a source's labels, names or numbers, to indices into a class list."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from clipfg.errors import DataError
from clipfg.registry import closest
from clipfg.types import ClassList, Manifest

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Names that data sets give their splits, and the names used here."""

_DIGITS = re.compile(r"(\d+)")


Natural = tuple[tuple[tuple[int, int, str], ...], str]


def natural(text: str) -> Natural:
    """A sort key that puts `img2` before `img10`, the same on every machine."""
    parts = _DIGITS.split(text.casefold())
    key = tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p)
    return key, text


def plain(name: str) -> str:
    """`name` without case, underscores, hyphens, apostrophes and extra spaces."""
    return re.sub(r"[\s_\-]+", " ", name.casefold().replace("'", "").replace("’", "")).strip()


class LabelIndex:
    """Finds classes by name: exactly, or else ignoring case and punctuation (`plain`)."""

    def __init__(self, classes: ClassList) -> None:
        self.classes = classes
        self._plain: dict[str, int | None] = {}
        for position, name in enumerate(classes.names):
            key = plain(name)
            self._plain[key] = None if key in self._plain else position  # None: two share it

    def find(self, name: str) -> int | None:
        """The label of `name`, or None when the list has no such class or two that fit."""
        if name in self.classes:
            return self.classes.index(name)
        return self._plain.get(plain(name))


def index_labels(
    values: pa.Array | pa.ChunkedArray,
    classes: ClassList | None,
    where: Callable[[int], str] = lambda row: f"row {row}",
) -> tuple[pa.Array, ClassList | None]:
    """Labels as indices, and the class list that they index.

    `values` are names (text) or indices (integers) into `classes`, null or blank where unknown.
    Where `classes` is None, they are the names that occur, in natural order. `where` is how an
    error names a row, counted from 0. Raises `DataError` for a label outside the list.
    """
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_integer(values.type) and classes is not None:
        return _check_range(values, classes, where), classes
    names = pc.utf8_trim_whitespace(values.cast(pa.string()))
    names = pc.if_else(pc.equal(names, ""), pa.scalar(None, pa.string()), names)
    coded = names.dictionary_encode()
    distinct = coded.dictionary.to_pylist()
    if classes is None:
        if not distinct:
            return pa.nulls(len(values), pa.int32()), None
        classes = ClassList(tuple(sorted(distinct, key=natural)))
    lookup = LabelIndex(classes)
    found = [lookup.find(name) for name in distinct]
    if None in found and all(re.fullmatch("[0-9]{1,9}", name) for name in distinct):
        return _check_range(names.cast(pa.int64()), classes, where), classes
    if None in found:
        unknown = distinct[found.index(None)]
        row = pc.index(names, unknown).as_py()
        raise DataError(
            f"Expected one of {len(classes)} classes, got {unknown!r} in {where(row)}."
            f"{closest(unknown, classes.names)} Add it to the class list or correct the label."
        )
    return pa.array(found, pa.int32()).take(coded.indices), classes


def _check_range(values: pa.Array, classes: ClassList, where: Callable[[int], str]) -> pa.Array:
    outside = pc.or_(pc.less(values, 0), pc.greater_equal(values, len(classes)))
    row = pc.index(outside, pa.scalar(True)).as_py()
    if row >= 0:
        raise DataError(
            f"Expected a label from 0 to {len(classes) - 1} ({len(classes)} classes),"
            f" got {values[row].as_py()} in {where(row)}."
        )
    return values.cast(pa.int32())


def relabel(manifest: Manifest, classes: ClassList | None) -> Manifest:
    """`manifest` with its labels as indices into `classes`, matched by name; itself where None.

    Raises `DataError` for an item whose class `classes` lacks.
    """
    if classes is None:
        return manifest
    if manifest.classes is None:
        return replace(manifest, classes=classes)
    names = pa.array(manifest.classes.names)
    labels = names.take(manifest.table["label"].combine_chunks())
    ids = manifest.table["id"]
    indices, _ = index_labels(labels, classes, lambda row: f"{ids[row].as_py()!r}")
    place = manifest.table.column_names.index("label")
    table = manifest.table.set_column(place, "label", indices)
    return replace(manifest, table=table, classes=classes)


def readable_names(folders: Sequence[str]) -> list[str]:
    """Class names from folder names: `003.Sea_holly` -> `Sea holly`.

    A leading synset id, or number, is dropped when every folder has one and the numbers only count:
    with a dot, with leading zeros, or 0 or 1 and so on without a gap. The 2 of "2_spotted_ladybird"
    stays. All names are left unchanged where cleaning would make two of them equal.
    """
    prefix = r"\(?\d+\)?[._\- ]+" if _are_counted(folders) else r"n\d{8}[._\- ]+(?=.)"
    coded = all(re.match(prefix, folder) for folder in folders)
    cleaned = [re.sub(f"^{prefix}", "", folder) if coded else folder for folder in folders]
    cleaned = [" ".join(name.replace("_", " ").split()) or name for name in cleaned]
    return cleaned if len(set(cleaned)) == len(set(folders)) else list(folders)


def _are_counted(folders: Sequence[str]) -> bool:
    matches = [re.match(r"\(?(\d+)\)?([._\- ]+)[^\W\d]", folder) for folder in folders]
    found = [match for match in matches if match]
    if not found or len(found) < len(folders):
        return False
    numbers = sorted({int(match[1]) for match in found})
    counted = numbers[0] <= 1 and numbers[-1] - numbers[0] == len(numbers) - 1
    padded = len({len(m[1]) for m in found}) == 1 and any(m[1].startswith("0") for m in found)
    return counted or padded or all(match[2].startswith(".") for match in found)


def split_name(text: str) -> str | None:
    """`train`, `val` or `test` where `text` is one of their names, else None."""
    return SPLITS.get(text.strip().lower())


def named_splits(values: Iterable[str | None]) -> list[str | None]:
    """Split names with the common ones normalised; blank ones become None."""
    return [(split_name(v) or v.strip() or None) if v else None for v in values]
