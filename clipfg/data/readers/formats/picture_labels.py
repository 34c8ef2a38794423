"""JSON or YAML of pictures and labels, as people write it.

- `{"1.jpg": "Mallard"}`, `{"1.jpg": {"label": "Mallard", "split": "train"}}`;
- `[{"file": "1.jpg", "label": "Mallard"}]`, `[["1.jpg", "Mallard"]]`, also under a key or a split;
- `{"Mallard": ["1.jpg", "2.jpg"]}`, also under splits;
- `{"train": [["1.jpg", 0, "Mallard"]]}`, as CoOp has its splits;
- `{"path": {"0": "1.jpg"}, "label": {"0": "Mallard"}}`, as pandas writes a table.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from clipfg.data.readers import column_names
from clipfg.data.readers.column_names import key_of
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.box_table import LABELS, PATHS, SPLITS
from clipfg.data.readers.formats.form import ENTRIES, Form, Sample
from clipfg.data.readers.formats.json_stream import entries
from clipfg.data.readers.labels import split_name
from clipfg.data.readers.text import read_text
from clipfg.data.readers.walk import SUFFIXES, is_image
from clipfg.errors import DataError
from clipfg.trees import parse_yaml
from clipfg.types import Role

_PICTURE = re.compile(rf"\.(?:{'|'.join(suffix[1:] for suffix in SUFFIXES)})\b", re.IGNORECASE)
KNOWN = (*column_names.PATHS, *column_names.IDS)

Entry = tuple[str | None, Any]
Record = Mapping[str, Any]
"""What is said of one picture, under the names of columns."""


def read(path: Path) -> Annotations:
    """A picture and its label, or labels, for each entry."""
    found = Annotations("a file of labels", path)
    found.roles = [Role("keys or path", "path"), Role("values or label", "class")]
    last: str | None = None
    for key, value in _rows(entries(path) if path.suffix.lower() == ".json" else _yaml(path)):
        records = list(_records(key, value))
        listed, last = key == last, key
        if not records and (listed or isinstance(value, Mapping | list)):
            raise DataError(f"Expected a picture and a label in {path}, got {value!r:.60}.")
        for given in records:
            name = _cell(given, PATHS)
            if not isinstance(name, str) or not name:
                raise DataError(f"Expected a picture in each entry of {path}, got {value!r:.60}.")
            picture = found.picture(name, split_name(str(_cell(given, SPLITS) or "")))
            labels = _cell(given, LABELS)
            for label in labels if isinstance(labels, list) else [labels]:
                if isinstance(label, Mapping):
                    raise DataError(f"Expected a label for {name!r} in {path}, got {label!r:.60}.")
                found.add(picture, None if label is None else str(label))
    return found


def _rows(given: Iterable[Entry]) -> Iterator[Entry]:
    """The entries of a file; the columns of a table as its rows."""
    columns: dict[str, Mapping[str, Any]] = {}
    for key, value in given:
        if key is not None and isinstance(value, Mapping) and _are_cells(value):
            columns[key.lower()] = value
        else:
            yield key, value
    for row in next(iter(columns.values()), ()):
        yield row, {name: cells.get(row) for name, cells in columns.items()}


def _are_cells(value: Mapping[str, Any]) -> bool:
    """Whether an object is a column of a table, under the numbers of its rows."""
    plain = all(one is None or isinstance(one, str | int | float) for one in value.values())
    return bool(value) and plain and all(map(str.isdecimal, value))


def _yaml(path: Path) -> Iterator[Entry]:
    """The entries of a YAML file, as `entries` has those of JSON."""
    content = parse_yaml(read_text(path, "YAML"))
    for key, value in content.items() if isinstance(content, Mapping) else [(None, content)]:
        for one in value if isinstance(value, list) else [value]:
            yield None if key is None else str(key), one


def _records(key: str | None, value: Any) -> Iterator[Record]:
    """What an entry says of pictures."""
    picture = key is not None and is_image(key)
    split = {"split": key} if key is not None and split_name(key) else {}
    if isinstance(value, Mapping):
        given = {str(name).lower(): cell for name, cell in value.items()}
        if picture:
            yield {"path": key, **given}
        elif _cell(given, PATHS) is not None:
            yield split | given
        elif split:
            pairs = ((label, own) for label, own in value.items() if isinstance(own, list))
            yield from ({"path": n, "label": label, **split} for label, own in pairs for n in own)
    elif picture:
        yield {"path": key, "label": value}
    elif isinstance(value, list) and len(value) in {2, 3} and isinstance(value[0], str):
        yield {"path": value[0], "label": value[-1], **split}
    elif isinstance(value, str) and is_image(value) and _may_be_class(key) and not split:
        yield {"path": value, "label": key}


def _may_be_class(key: str | None) -> bool:
    """Whether a key of pictures is no word for pictures, as in lists of pictures and of labels."""
    return key is not None and not {key_of(key), key_of(key).removesuffix("s")} & {*KNOWN}


def _cell(given: Record, names: tuple[str, ...]) -> Any:
    return next((given[name] for name in names if name in given), None)


def _is_labels(sample: Sample) -> bool:
    """Whether all lists and objects among the entries are pictures and labels."""
    given = sample.json
    if sample.suffix in {".yaml", ".yml"} and _PICTURE.search(sample.head):
        with suppress(DataError):
            given = [*islice(_yaml(sample.path), ENTRIES)]
    told: list[list[Record]] = []
    pictures = Counter(key for key, value in given if isinstance(value, str))
    for key, value in _rows(given):
        records = list(_records(key, value))
        if records or isinstance(value, Mapping | list) or pictures[key] > 1:
            told.append(records)
    named = [key for key, value in given if isinstance(value, str) and is_image(value)]
    legend = bool(named) and len({*named}) == len(named)  # a picture of each class
    other = sample.suffix != ".json" and len(told) < len(given)  # settings are YAML too
    return bool(told) and not legend and not other and all(map(_are_whole, told))


def _are_whole(records: list[Record]) -> bool:
    pairs = [(_cell(given, PATHS), _cell(given, LABELS)) for given in records]
    return bool(pairs) and all(
        isinstance(name, str)
        and isinstance(label, str | int | list)
        and not (isinstance(label, list) and any(isinstance(one, dict) for one in label))
        for name, label in pairs
    )


FORM = Form("a file of labels", _is_labels, read)
