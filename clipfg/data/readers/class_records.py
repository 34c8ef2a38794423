"""A class list from records: the rows of a CSV, the entries of a JSON or YAML list."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from clipfg.data.readers import column_names as known
from clipfg.data.readers.class_tables import with_lineages
from clipfg.data.readers.codes import are_codes, identity
from clipfg.data.readers.column_names import key_of
from clipfg.data.readers.labels import plain
from clipfg.errors import DataError, UsageError
from clipfg.registry import closest
from clipfg.types import ClassList

NAMES = (
    *("name", "classname", "labelname", "displayname", "class", "label", "categoryname"),
    *("category", *known.COMMON, "speciesname", "breed", "variety", "cultivar", "title", "target"),
    *("disease", "diseasename", "productname", "itemname", "species", *known.SCIENTIFIC),
    *("meaning", "diagnosis", "defect", "product"),
)
"""What the column of names is called; the first whose values are no codes is taken."""
IDS = (
    *("id", "classid", "labelid", "categoryid", "speciesid", "index", "idx", "classindex"),
    *("labelindex", "classidx", "targetid", "number", "nr", "no", "code", "label", "class"),
    *(
        "category",
        "synset",
        "wnid",
        "synsetid",
        "folder",
        "key",
        "taxonid",
        "target",
        "speciescode",
    ),
)
_PLAIN_IDS = frozenset(IDS) - frozenset(NAMES)
PARENTS = ("parent", "grandparent")
_TEXT = re.compile(r"(texts?|descriptions?|captions?)[ _-]?\d*$")

Record = Mapping[str, Any]


def is_name_column(key: str) -> bool:
    """Whether a column of this key may hold the names of classes."""
    return key in NAMES


def classes_of(
    records: Sequence[Record], wheres: Sequence[str], name_column: str | None = None
) -> ClassList:
    """The classes of records, in their order; `wheres` say where each stands.

    Names, ids, other names, parents or ranks, and texts are known by their usual names. Where a
    record has several names, the first of `name_column` (`a,b`) is what the class is called, and
    only those listed are kept. Raises `DataError` for a record without a name and for a name that
    occurs twice, `UsageError` where no record has the column asked for.
    """
    keys: dict[str, str] = {}
    for record in records:
        for column in record:
            keys.setdefault(key_of(column), column)
    ranks = _ranks(records, keys)
    columns = _name_columns(records, keys, ranks, name_column)
    cells = {key: [_cell(record, keys[key]) for record in records] for key in columns}
    _join_epithets(cells, records, keys, ranks)
    names = _names(cells, wheres)
    if "path" not in keys and not any(key in keys for key in known.PATHS[:3]):
        rows = [*range(len(names))]
    else:  # a table of pictures: each class once
        first = {name: row for row, name in reversed(list(enumerate(names)))}
        rows = sorted(first.values())
    listed = _with_parents(records, keys, names, ranks, rows)
    ids = _ids(records, keys, rows, {columns[0], *ranks.values()})
    synonyms = _synonyms(cells, names, rows, keys)
    asked = [key_of(column) for column in (name_column or "").split(",") if column.strip()]
    silent = tuple(kind for kind in synonyms if asked and key_of(kind) not in asked)
    return replace(listed, ids=ids, synonyms=synonyms, silent=silent)


def name_of(value: Any) -> str:
    """A class name in composed Unicode. Raises `DataError` for what is no name."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value).strip()  # JSON may spell letters in escapes
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return str(value)
        except ValueError:  # more than 4,300 digits
            raise DataError("Expected a class name, got a number of thousands of digits.") from None
    raise DataError(f"Expected a class name, got {value!r:.80}; put quotes around it if it is one.")


def sentences_of(value: Any) -> list[str]:
    """A sentence or a list of them. Raises `DataError` for anything else."""
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return value
    raise DataError(f"Expected a sentence or a list of them, got {value!r:.80}.")


def _cell(record: Record, column: str) -> str:
    value = record.get(column)
    return "" if value is None else name_of(value)


def _ranks(records: Sequence[Record], keys: Mapping[str, str]) -> dict[str, str]:
    """The ranks of a taxonomy and their keys; `class` only beside others or names of its own."""
    found = {level: key for level, names in known.RANKS.items() for key in names[:1] if key in keys}
    if "class" in found:
        words = {str(record.get(keys["class"]) or "").strip().lower() for record in records} - {""}
        beside = any(key in keys for key in NAMES if key != "class") or len(found) > 1
        life = len(words & known.CLASSES_OF_LIFE) * 2 > len(words)
        if not beside or not (life or len(found) > 1):
            del found["class"]
    return found


def _name_columns(
    records: Sequence[Record],
    keys: Mapping[str, str],
    ranks: Mapping[str, str],
    name_column: str | None,
) -> list[str]:
    """The keys of columns that name the classes: what they are called, then other names."""
    found = [key for key in dict.fromkeys(NAMES) if key in keys and key not in ranks.values()]
    found = list(dict.fromkeys([*found, *filter(known.SYNONYM.fullmatch, keys)]))
    cells = {key: [str(record.get(keys[key]) or "") for record in records] for key in found}
    if found and are_codes(cells[found[0]]):  # named by another column, if one names each
        words = [key for key in found if not are_codes(cells[key])]
        if words and len(set(cells[words[0]])) == len(records):
            found = words
    if not any(key in keys for key in known.PATHS):  # one row a class
        again = {key for key in found if len({*cells[key]}) < len(records)}
        found = [key for key in found if key not in again] or found
    if name_column is not None:
        asked = [key_of(column) for column in name_column.split(",")]
        if asked[0] not in keys:
            raise UsageError(
                f"Expected a column of class names for --name-column, got {name_column!r}."
                f"{closest(name_column, keys.values())} There are {', '.join(keys.values()):.200}."
            )
        return [key for key in dict.fromkeys([*asked, *found]) if key in keys]
    latin = [key for key in found[:1] if key in known.SCIENTIFIC]
    if latin and (common := [key for key in found if key in known.COMMON]):
        found = [*common, *(key for key in found if key not in common)]
    return found


def _join_epithets(
    cells: dict[str, list[str]],
    records: Sequence[Record],
    keys: Mapping[str, str],
    ranks: Mapping[str, str],
) -> None:
    """A genus and an epithet, as two columns have them, as one name."""
    for key in set(known.EPITHETS) & cells.keys():
        if "genus" not in ranks:
            continue
        genera = [_cell(record, keys[ranks["genus"]]) for record in records]
        cells[key] = [
            f"{genus} {name}" if genus and re.fullmatch("[a-zë-]+", name) else name
            for genus, name in zip(genera, cells[key], strict=True)
        ]


def _names(cells: Mapping[str, list[str]], wheres: Sequence[str]) -> list[str]:
    """What each class is called; where two records share a name, with another that differs."""
    names = []
    columns = list(cells.values())
    for row, where in enumerate(wheres):
        name = next((column[row] for column in columns if column[row]), "")
        if not name:
            raise DataError(f"Expected a 'name' for each class, got none in {where}.")
        if "\n" in name:
            raise DataError(
                f"Expected a name on one line, got {name!r:.60} in {where}; is a quote not closed?"
            )
        names.append(name)
    return names


def _with_parents(
    records: Sequence[Record],
    keys: Mapping[str, str],
    names: Sequence[str],
    ranks: Mapping[str, str],
    rows: Sequence[int],
) -> ClassList:
    chosen = tuple(names[row] for row in rows)
    texts = {names[row]: own for row in rows if (own := _texts(records[row]))}
    parents: dict[str, str] = {}
    for row in rows:
        above = [_cell(records[row], keys[key]) for key in PARENTS if key in keys]
        for child, parent in pairwise([names[row], *filter(None, above)]):
            if parents.setdefault(child, parent) != parent:
                raise DataError(
                    f"Expected one parent of {child!r:.80}, got {parents[child]!r:.80} and"
                    f" {parent!r:.80}."
                )
    above_each = [[_cell(records[row], keys[key]) for key in ranks.values()] for row in rows]
    used = [i for i in range(len(ranks)) if any(lineage[i] for lineage in above_each)]
    if parents or not used:
        return ClassList(chosen, parents, texts)
    levels = [list(ranks)[i] for i in used]
    lineages = [[lineage[i] for i in used] for lineage in above_each]
    return with_lineages(chosen, lineages, levels, texts)


def _texts(record: Record) -> tuple[str, ...]:
    texts = [
        text.strip()
        for column, value in record.items()
        if _TEXT.match(column.strip().lower())
        for text in sentences_of(value)
    ]
    return tuple(filter(None, texts))


def _ids(
    records: Sequence[Record], keys: Mapping[str, str], rows: Sequence[int], taken: set[str]
) -> tuple[str, ...]:
    """The first column of ids that has another one for each class; nothing where there is none.

    The first column of all holds ids under any name (`sku`), where its values are codes.
    """
    first = next(iter(keys), "")
    for key in dict.fromkeys([*IDS, first]):
        if key not in keys or key in taken:
            continue
        values = [records[row].get(keys[key]) for row in rows]
        if any(isinstance(value, list | dict | bool) or value in (None, "") for value in values):
            continue
        ids = tuple(identity(name_of(value)) for value in values)
        if len(set(ids)) == len(ids) and (key in _PLAIN_IDS or are_codes(ids)):
            return ids
    return ()


def _synonyms(
    cells: Mapping[str, list[str]],
    names: Sequence[str],
    rows: Sequence[int],
    keys: Mapping[str, str],
) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for key, column in cells.items():
        called = {names[row]: column[row] for row in rows if column[row]}
        if any(plain(name) != plain(other) for name, other in called.items()):
            found[keys[key].strip()] = called
    return found
