"""From a source's labels, names or numbers, to indices into a class list."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers.codes import identity, is_number
from clipfg.errors import DataError
from clipfg.registry import closest
from clipfg.types import UNLABELLED, ClassList, Manifest

SPLITS = {
    **dict.fromkeys(("train", "training", "trn", "trainval", "trainset", "traindata"), "train"),
    **dict.fromkeys(("trainingsdaten", "entrenamiento", "entrainement"), "train"),
    **dict.fromkeys(("训练", "训练集"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "vld", "eval", "evaluation"), "val"),
    **dict.fromkeys(("valset", "validset", "validationset", "devset"), "val"),
    **dict.fromkeys(("validierung", "validacion", "验证", "验证集"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "testset", "testdata", "testdaten"), "test"),
    **dict.fromkeys(("prueba", "测试", "测试集"), "test"),
}
"""Names that data sets give their splits, and the names used here."""

_DIGITS = re.compile(r"(\d+)")


Natural = tuple[tuple[tuple[int, int, str], ...], str]


def natural(text: str) -> Natural:
    """A sort key that puts `img2` before `img10`, the same on every machine."""
    parts = _DIGITS.split(text.casefold())
    # Python reads no more than 4,300 digits as a number.
    key = tuple(
        (0, int(p), "") if p.isdecimal() and len(p) < 4300 else (1, 0, p) for p in parts if p
    )
    return key, text


def plain(name: str) -> str:
    """`name` without case, underscores, hyphens, apostrophes and extra spaces."""
    return re.sub(r"[\s_\-]+", " ", name.casefold().replace("'", "").replace("’", "")).strip()


class LabelIndex:
    """Finds classes by name, id or other name: exactly, or else ignoring case and punctuation.

    What two classes share is no name of either: of ids and other names as of `plain` ones.
    """

    def __init__(self, classes: ClassList) -> None:
        self.classes = classes
        others = [
            (classes.index(name), other)
            for names in classes.synonyms.values()
            for name, other in names.items()
        ]
        names = list(enumerate(classes.names))
        ids = [(place, identity(given)) for place, given in enumerate(classes.ids)]
        self._tables = [
            _unambiguous(names),
            _unambiguous(ids),
            _unambiguous(others),
            _unambiguous((place, plain(name)) for place, name in names),
            _unambiguous((place, plain(name)) for place, name in others),
        ]

    def find(self, name: str) -> int | None:
        """The label of `name`, or None when the list has no such class or two that fit."""
        text = unicodedata.normalize("NFC", name)
        for table, key in zip(
            self._tables, (text, identity(text), text, plain(text), plain(text)), strict=True
        ):
            if (found := table.get(key)) is not None:
                return found
        return None


def _unambiguous(pairs: Iterable[tuple[int, str]]) -> dict[str, int | None]:
    """From names to the one class of each; None where two classes share it."""
    found: dict[str, int | None] = {}
    for place, name in pairs:
        found[name] = place if found.get(name, place) == place else None
    return found


def match_classes(own: ClassList, classes: ClassList, where: Callable[[int], str]) -> list[int]:
    """The place in `classes` of each class of `own`: by its name, id or other names.

    Numbers index a list that has no ids, where it is certain whether they count from 0 or 1.
    `where` names a place at which a class of `own` occurs. Raises `DataError` for one that is not
    in `classes`, and for numbers that may count from 0 or from 1.
    """
    lookup = LabelIndex(classes)
    found = []
    for place, name in enumerate(own.names):
        called = [name, *own.ids[place : place + 1]]
        called += [others[name] for others in own.synonyms.values() if name in others]
        found.append(next((p for n in called if (p := lookup.find(n)) is not None), None))
    if None in found and all(is_number(name) for name in own.names):
        if not classes.ids:
            return _positions([int(identity(name)) for name in own.names], classes, where)
        numbers = ", ".join(classes.ids[:5]) + (", ..." if len(classes) > 5 else "")
        hint = f" The list has {numbers}."
    else:
        hint = " Add it to the class list or correct the label."
    if None in found:
        place = found.index(None)
        raise DataError(
            f"Expected one of {len(classes)} classes, got {own.names[place]!r:.80} in"
            f" {where(place)}.{closest(own.names[place], classes.names)}{hint}"
        )
    places = [place for place in found if place is not None]
    if len(set(places)) < len(places):
        twice = next(place for place in places if places.count(place) > 1)
        same = [n for n, p in zip(own.names, places, strict=True) if p == twice]
        if len({plain(name) for name in same}) > 1:
            raise DataError(
                f"Expected different classes, got {same[0]!r:.80} and {same[1]!r:.80}, which are"
                f" both {classes.names[twice]!r:.80} in the class list."
            )
    return places


def _positions(numbers: list[int], classes: ClassList, where: Callable[[int], str]) -> list[int]:
    """Numbers as places in a list without ids: from 0 if 0 occurs, from 1 if the last one does."""
    last = len(classes)
    outside = [place for place, number in enumerate(numbers) if not 0 <= number <= last]
    if not outside and 0 in numbers:
        outside = [place for place, number in enumerate(numbers) if number == last]
    if outside:
        raise DataError(
            f"Expected a label from 0 to {last - 1} ({last} classes), got {numbers[outside[0]]} in"
            f" {where(outside[0])}."
        )
    if 0 in numbers:
        return numbers
    if last in numbers:
        return [number - 1 for number in numbers]
    raise DataError(
        f"Expected labels from 0 or up to {last}, got {min(numbers)} to {max(numbers)} in"
        f" {where(0)}, so that {min(numbers)} may be {classes.names[min(numbers)]!r:.80} or"
        f" {classes.names[min(numbers) - 1]!r:.80}; number the class list, as in"
        f" '{min(numbers)} NAME' or a CSV with id,name."
    )


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
    names = pc.utf8_trim_whitespace(pc.utf8_normalize(values.cast(pa.string()), "NFC"))
    names = pc.if_else(pc.equal(names, ""), pa.scalar(None, pa.string()), names)
    coded = names.dictionary_encode()
    distinct = coded.dictionary.to_pylist()
    if classes is None:
        if not distinct:
            return pa.nulls(len(values), pa.int32()), None
        classes = ClassList(tuple(sorted(distinct, key=natural)))
    if not distinct:
        return pa.nulls(len(values), pa.int32()), classes
    found = match_classes(
        ClassList(tuple(distinct)),
        classes,
        lambda place: where(pc.index(names, distinct[place]).as_py()),
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


def relabel(
    manifest: Manifest, classes: ClassList | None, place_of_row: str | None = None
) -> Manifest:
    """`manifest` with its labels as indices into `classes`, matched by name; itself where None.

    `place_of_row` is how an error calls a row: text with `{}` for its number from 1; by default
    the item's id. Raises `DataError` as `match_classes` does.
    """
    if classes is None:
        return manifest
    if manifest.classes is None:
        return replace(manifest, classes=classes)
    labels = manifest.table["label"].combine_chunks()
    present = [place for place in pc.unique(labels).to_pylist() if place is not None]
    own = (
        manifest.classes.only([manifest.classes.names[place] for place in sorted(present)])
        if present
        else None
    )
    places = np.full(len(manifest.classes) + 1, UNLABELLED)  # the last place is for UNLABELLED
    if own is not None:
        ids = manifest.table["id"]

        def where(place: int) -> str:
            row = pc.index(labels, pa.scalar(sorted(present)[place], labels.type)).as_py()
            return repr(ids[row].as_py()) if place_of_row is None else place_of_row.format(row + 1)

        places[sorted(present)] = match_classes(own, classes, where)
    indices = places[manifest.labels]
    column = pa.array(indices, pa.int32(), mask=indices == UNLABELLED)
    place = manifest.table.column_names.index("label")
    table = manifest.table.set_column(place, "label", column)
    return replace(manifest, table=table, classes=classes)


def readable_names(folders: Sequence[str]) -> list[str]:
    """Class names from folder names: `003.Sea_holly` -> `Sea holly`.

    A leading number is dropped where it numbers the classes (`numbered`), and so is a synset id;
    all names are left unchanged where cleaning would make two of them equal.
    """
    cleaned = [name for _, name in numbered(folders) or [("", folder) for folder in folders]]
    cleaned = [" ".join(name.replace("_", " ").split()) or name for name in cleaned]
    return cleaned if len(set(cleaned)) == len(set(folders)) else list(folders)


def numbered(names: Sequence[str]) -> list[tuple[str, str]] | None:
    """The number and the rest of each name, where all begin with a number that is no part of them.

    Numbers that count (0 or 1, 2, 3, ...), that are filled up with zeros or followed by a full
    stop, and synset ids are no part of a name; those of models and years are: "737-800",
    "2012 Audi A4".
    """
    matches = [re.match(r"\(?(\d+)([._\-:) ,\t]+)(?=\S)", name) for name in names]
    synsets = [re.match(r"(n\d{8})([_\- \t]+)(?=\S)", name) for name in names]
    found = [match for match in (synsets if all(synsets) else matches) if match is not None]
    if len(found) < len(names) or not names:
        return None
    numbers = [match[1] for match in found]
    rests = [name[match.end() :] for name, match in zip(names, found, strict=True)]
    if len(set(numbers)) < len(numbers) or len(set(rests)) < len(rests):
        return None
    if not all(re.search(r"[^\W\d_]", rest) for rest in rests):
        return None
    if not all(synsets):
        values = sorted(map(int, numbers))
        counts = values[0] in {0, 1} and values == [*range(values[0], values[0] + len(values))]
        filled = len(set(map(len, numbers))) == 1 and any(n[0] == "0" for n in numbers)
        stopped = all(
            m[2].strip() in {".", ":", ")"} and not r[0].isdigit()
            for m, r in zip(found, rests, strict=True)
        )
        if not (counts or (filled and len(numbers[0]) > 1) or stopped):
            return None
    return list(zip(numbers, rests, strict=True))


def split_name(text: str) -> str | None:
    """`train`, `val` or `test` where `text` is one of their names, else None."""
    return SPLITS.get(text.strip().lower())


def named_splits(values: Iterable[str | None]) -> list[str | None]:
    """Split names with the common ones normalised; blank ones become None."""
    return [(split_name(v) or v.strip() or None) if v else None for v in values]
