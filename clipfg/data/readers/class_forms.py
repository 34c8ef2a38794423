"""The forms in which JSON, YAML and plain lists hold class names, each told by its content."""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from clipfg.data.readers.class_records import Record, classes_of, name_of, sentences_of
from clipfg.data.readers.codes import are_nameless, is_number
from clipfg.data.readers.labels import numbered, readable_names
from clipfg.errors import DataError
from clipfg.types import ClassList

LISTS = (
    "classes",
    "names",
    "class_names",
    "classnames",
    "label_names",
    "labels",
    "categories",
    "tools",
)
"""Where a list or a mapping of names stands, within a larger tree."""
_SYNSET_LINE = re.compile(r"(n\d{8})\s+(?:\d+\s+)?(\S.*)")
_LABEL_MAP_LINE = re.compile(r"([^:]+):(\d+,\s*\d+,\s*\d+)?:[^:]*:[^:]*")
_PBTXT_ITEM = re.compile(r"item\s*\{(.*?)\}", re.DOTALL)
_PBTXT_FIELD = re.compile(r"(id|name|display_name)\s*:\s*(?:\"([^\"]*)\"|'([^']*)'|(\d+))")
EMPTY = frozenset({"empty", "blank", "__background__", "_background_", "background"})


def classes_of_tree(tree: Any, *, ids: bool = False, name_column: str | None = None) -> ClassList:
    """The classes of a JSON or YAML value: a list or a mapping, or a file that holds one.

    Known are lists of names or of records; mappings from numbers or synsets to names, from names to
    numbers, and from names to sentences (with `ids`, from any id to a name); Keras' class index;
    `id2label` of a model's config.json; `names` of a data.yaml; `categories` of COCO; the
    `class_label` of a data card. Raises `DataError` for anything else.
    """
    found = _inside(tree)
    extra: dict[str, Any] = {}
    if isinstance(tree, Mapping) and found is tree.get("classes"):
        parents, texts = tree.get("parents") or {}, tree.get("texts") or {}
        if not isinstance(parents, Mapping):
            raise DataError("Expected 'parents' to map each name to its parent.")
        if not isinstance(texts, Mapping):
            raise DataError("Expected 'texts' to map names to sentences.")
        extra["parents"] = {name_of(child): name_of(parent) for child, parent in parents.items()}
        extra["texts"] = {name_of(name): tuple(sentences_of(v)) for name, v in texts.items()}
    if isinstance(found, Mapping):
        found = _records(found, ids=ids)
    if isinstance(found, str) and "," in found:
        found = [part.strip() for part in found.split(",")]
    if not isinstance(found, list):
        raise DataError(f"Expected a list of class names, got {type(tree).__name__}.")
    records = [_record(entry) for entry in found]
    if isinstance(tree, Mapping) and found is tree.get("categories"):
        records = [r for r in records if str(r.get("name", "")).lower() not in EMPTY]
    wheres = [f"entry {number}" for number in range(1, len(records) + 1)]
    listed = classes_of(records, wheres, name_column)
    if not extra:
        return listed
    return ClassList(listed.names, extra["parents"], extra["texts"], ids=listed.ids)


def _inside(tree: Any) -> Any:
    """The part of a tree that holds the names."""
    if not isinstance(tree, Mapping):
        return tree
    for key in ("id2label", "label2id", "class_to_idx"):
        if isinstance(tree.get(key), Mapping):
            return tree[key]
    for key in LISTS:
        value = tree.get(key)
        if isinstance(value, Mapping) and [*map(type, value.values())] == [list]:
            value = next(iter(value.values()))  # {"classes": {"Label": [...]}}: Lobe
        if isinstance(value, list) or (isinstance(value, Mapping) and value):
            return value
        if key == "names" and isinstance(value, str):
            return value
    card = _class_label(tree)
    return tree if card is None else card


def _class_label(tree: Any, depth: int = 0) -> Any:
    """The names of the first `class_label` of a data card."""
    if depth > 12:
        return None
    if isinstance(tree, Mapping):
        inner = tree.get("class_label")
        if isinstance(inner, Mapping) and inner.get("names"):
            return inner["names"]
        parts = list(tree.values())
    else:
        parts = tree if isinstance(tree, list) else []
    return next((found for part in parts if (found := _class_label(part, depth + 1))), None)


def _records(tree: Mapping[Any, Any], *, ids: bool) -> list[Record]:
    """The classes of a mapping."""
    keys, values = [str(key) for key in tree], list(tree.values())
    coded = are_nameless(keys) and bool(keys)
    if coded and all(map(is_number, keys)):
        order = sorted(tree, key=lambda key: int(float(str(key)[:300])))
        keys, values = [str(key) for key in order], [tree[key] for key in order]
    if (coded or ids) and all(isinstance(value, str) for value in values):
        return [{"id": key, "name": value} for key, value in zip(keys, values, strict=True)]
    if coded and all(isinstance(v, list) and v and isinstance(v[0], str) for v in values):
        keras = all(len(v) == 2 and re.fullmatch(r"n\d{8}", v[0]) for v in values)
        if keras:
            names = readable_names([value[1] for value in values])
            return [{"id": k, "name": n, "synset": v[0]} for k, n, v in zip(keys, names, values)]  # noqa: B905
        return [
            {"id": key, "name": value[0]} | {f"synonym{i}": v for i, v in enumerate(value[1:], 2)}
            for key, value in zip(keys, values, strict=True)
        ]
    if values and all(isinstance(value, Mapping) for value in values):
        entries = zip(keys, values, strict=True)
        return [{"id" if coded or ids else "name": key} | dict(value) for key, value in entries]
    if values and all(type(value) is int for value in values):
        order = sorted(tree, key=lambda key: tree[key])
        return [{"id": tree[key], "name": str(key)} for key in order]
    return [{"name": key, "text": value} for key, value in tree.items()]


def _record(entry: Any) -> Record:
    if isinstance(entry, Mapping):
        return {str(key): value for key, value in entry.items()}
    if isinstance(entry, list) and len(entry) == 2:
        return {"id": entry[0], "name": entry[1]}
    return {"name": entry}


def classes_of_lines(lines: list[str]) -> ClassList:
    """The classes of a text with one on each line.

    A line is a whole name, unless every line says otherwise: numbers that count them, synset ids
    with synonyms, dashes or quotes around, or the colours of a label map. Raises `DataError` where
    a name is blank or occurs twice.
    """
    lines = [line.strip() for line in lines]
    body = [line for line in lines if line]
    if len(body) == 1 and "," in body[0]:  # one class is no list
        body = [part.strip(" '\"") for part in body[0].strip("[]()").split(",") if part.strip()]
    if body and body[0].startswith("# ") and not body[-1].startswith("#"):
        body = [line for line in body if not line.startswith("# ")]
    if "\n".join(body).startswith("item") and (items := _PBTXT_ITEM.findall("\n".join(body))):
        return _of_pbtxt(items)
    uncommented = [line for line in body if not line.startswith("#")]
    if uncommented and all(_LABEL_MAP_LINE.fullmatch(line) for line in uncommented):
        names = [line.partition(":")[0].strip() for line in uncommented]
        return ClassList(tuple(name for name in names if name.lower() not in EMPTY))
    if body and all(synsets := [_SYNSET_LINE.fullmatch(line) for line in body]):
        return _of_synsets([(match[1], match[2]) for match in synsets if match is not None])
    counts, letters = r"(.*\S)\t+\d+", r"/\w/(\S+(?: \d+)?)"  # how many there are; Places
    for mark in (r"[-*•]\s+(.+)", r"\"([^\"]+)\",?", r"'([^']+)',?", counts, letters):
        marked = [re.fullmatch(mark, line) for line in body]
        if len(body) > 1 and all(marked):
            body = [match[1].strip() for match in marked if match is not None]
    counted = numbered(body) if len(body) > 1 else None
    if (parts := counted or _counted(body) or _counted_after(body)) is not None:
        ids, names = [number for number, _ in parts], readable_names([name for _, name in parts])
        records = [{"id": i, "name": n} for i, n in zip(ids, names, strict=True)]
        return classes_of(records, [f"line {n}" for n in range(1, len(names) + 1)])
    return ClassList(tuple(body))


def _counted(lines: list[str]) -> list[tuple[str, str]] | None:
    """Numbers that rise from 0 or 1, with gaps, and the names after them."""
    matches = [re.match(r"(\d{1,9})\s*[ :,\t]\s*(?=\S)", line) for line in lines]
    if len(lines) < 2 or not all(matches):
        return None
    numbers = [int(match[1]) for match in matches if match is not None]
    rising = all(a < b for a, b in pairwise(numbers))
    if not rising or numbers[0] not in {0, 1} or numbers[-1] > 4 * len(lines):
        return None
    pairs = zip(lines, matches, strict=True)
    return [(m[1], line[m.end() :].strip()) for line, m in pairs if m is not None]


def _counted_after(lines: list[str]) -> list[tuple[str, str]] | None:
    """Names with a number after each that counts them: `Blue Jay,0`."""
    matches = [re.fullmatch(r"(.*\S)\s*[ :,\t]\s*(\d{1,9})", line) for line in lines]
    found = [(match[2], match[1].strip(" :,\t")) for match in matches if match is not None]
    numbers = sorted(int(number) for number, _ in found)
    first = numbers[0] if numbers else 0
    counts = numbers == [*range(first, first + len(lines))] and first in {0, 1}
    alone = len({name for _, name in found}) == len(lines)  # "Class 1" is a name
    return found if len(lines) > 1 and alone and counts else None


def _of_synsets(pairs: list[tuple[str, str]]) -> ClassList:
    """Lines of ImageNet's lists: `n01580077 jay, Garrulus`; every comma begins a synonym."""
    split = [[part.strip() for part in names.split(",")] for _, names in pairs]
    first = [parts[0].replace("_", " ") for parts in split]
    twice = {name for name, times in Counter(first).items() if times > 1}
    records: list[Record] = []
    for (synset, whole), name, parts in zip(pairs, first, split, strict=True):
        if name in twice:  # "crane" is a bird and a machine
            name = whole
        others = {f"synonym{n}": other for n, other in enumerate(parts[1:], 2)}
        records.append({"id": synset, "name": name} | others)
    return classes_of(records, [f"line {n}" for n in range(1, len(records) + 1)])


def _of_pbtxt(items: list[str]) -> ClassList:
    """TensorFlow's label map: `item { id: 1 name: 'x' display_name: 'y' }`."""
    records = []
    for item in items:
        fields = {key: a or b or c for key, a, b, c in _PBTXT_FIELD.findall(item)}
        name = fields.get("display_name") or fields.get("name") or ""
        records.append({"id": fields.get("id", ""), "name": name, "synset": fields.get("name", "")})
    return classes_of(records, [f"item {n}" for n in range(1, len(records) + 1)])
