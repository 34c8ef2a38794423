"""Lists of class names that people keep: text, CSV, JSON, YAML.

In a text file every line is a name, whole: commas, quotes and `#` belong to it. A file whose first
line is a CSV header with a column `name` is a CSV, whatever it is called.
"""

import csv
import io
import json
import logging
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipfg.data.readers.class_tables import with_lineages
from clipfg.errors import DataError, UsageError
from clipfg.registry import closest
from clipfg.types import ClassList

NAME_COLUMNS = ("name", "class", "class_name", "classname", "label", "species", "category")
PARENT_COLUMNS = ("parent", "grandparent")
RANK_COLUMNS = ("genus", "family", "order")
"""Parents that say what they are; used where there is no column `parent`."""
_TEXT_COLUMN = re.compile(r"(texts?|descriptions?|captions?)[ _-]?\d*$")
_DELIMITERS = ",;\t"

_log = logging.getLogger(__name__)


def read_class_list(path: Path | str) -> ClassList:
    """The classes in a file, in its order.

    - text: one name per line;
    - CSV (comma, semicolon or tab): a header with `name` and, where wanted, `parent`,
      `grandparent` (or `genus`, `family`, `order`) and any number of `text...` columns; other
      columns are left aside;
    - JSON or YAML: a list of names or of `{name, parent, text}`; a mapping from numbers to names
      or names to numbers; from names to sentences; or `{classes, parents, texts}`.

    UTF-8 and UTF-16 are told apart; anything else is read as Windows Latin, with a warning in the
    log. Raises `UsageError` when there is no such file, `DataError` when it holds no class list,
    a name is blank or occurs twice.
    """
    path = Path(path)
    text = _read_text(path)
    suffix = path.suffix.lower()
    try:
        if suffix in {".json", ".yaml", ".yml"}:
            return _from_tree(_parse_tree(text, suffix))
        delimiter = _csv_delimiter(text, suffix)
        return _from_csv(text, delimiter) if delimiter else _from_lines(text)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise DataError(
            f"Expected a file with a class name per line, got the folder {path};"
            " give a folder of images as the data instead."
        )
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UsageError(
            f"Expected a file of class names, but there is none at {path}."
            f"{closest(path.name, siblings)}"
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"Expected a readable file of class names, got {why!s}: {path}") from None
    return unicodedata.normalize("NFC", _decode(data, path))


def _decode(data: bytes, path: Path) -> str:
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            pass
    elif b"\0" not in data:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            _log.warning("%s is not UTF-8; it was read as Windows Latin (cp1252)", path)
            return data.decode("cp1252", errors="replace")
    raise DataError(
        f"Expected a text file with a class name per line, got a binary file: {path}."
        " Images are given as the data, class names as --classes."
    )


def _lines(text: str) -> list[str]:
    # Not `splitlines`, which also cuts at form feeds and other marks that a name may hold.
    return re.split(r"\r\n|\n|\r", text)


def _from_lines(text: str) -> ClassList:
    names = [line.strip() for line in _lines(text)]
    return ClassList(tuple(name for name in names if name))


def _csv_delimiter(text: str, suffix: str) -> str | None:
    """The delimiter when `text` is a CSV with a header that we know, else None."""
    header = next((line for line in _lines(text) if line.strip()), "")
    named_so = suffix in {".csv", ".tsv"}
    for delimiter in _DELIMITERS:
        cells = _header_cells(header, delimiter)
        known = set(cells) & set(NAME_COLUMNS) if named_so else cells[0] == "name" and cells[1:]
        if known:
            return delimiter
    if named_so and any(d in line for line in _lines(text) for d in _DELIMITERS):
        raise DataError(
            f"Expected a header with a column 'name' (name,parent,text), got {header.strip()!r};"
            " add one, or call the file .txt if every line is one name."
        )
    return None


def _header_cells(header: str, delimiter: str) -> list[str]:
    row = next(csv.reader([header], delimiter=delimiter), []) or [""]
    return [cell.strip().lower() for cell in row]


def _numbered(header: list[str]) -> list[str]:
    """The cells of a header, told apart where a name is repeated: `text,text` -> `text,text2`."""
    return [f"{c}{n}" if (n := header[: i + 1].count(c)) > 1 else c for i, c in enumerate(header)]


def _from_csv(text: str, delimiter: str) -> ClassList:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    header: list[str] | None = None
    gathered = _Gathered()
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if header is None:
                header = _numbered([cell.lower() for cell in cells])
                continue
            if len(header) == 1:
                cells = [delimiter.join(row).strip()]  # nothing else can be meant by the comma
            if len(cells) > len(header):
                raise DataError(
                    f"Expected {len(header)} cells in line {reader.line_num}, got {len(cells)};"
                    f" put quotes around a name or text with {delimiter!r} in it."
                )
            gathered.add_row(dict(zip(header, cells, strict=False)), reader.line_num)
    except csv.Error as error:
        raise DataError(f"Expected a CSV, got {error} in line {reader.line_num}.") from None
    return gathered.classes()


@dataclass
class _Gathered:
    """Names, parents and texts while they are being collected."""

    names: list[str] = field(default_factory=list)
    parents: dict[str, str] = field(default_factory=dict)
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ranks: dict[str, list[str]] = field(default_factory=dict)

    def add_row(self, row: Mapping[str, str], line: int) -> None:
        name = next((row[column] for column in NAME_COLUMNS if column in row), "")
        if not name:
            raise DataError(f"Expected a name in line {line}, got a blank one.")
        chain = [row.get(column, "") for column in PARENT_COLUMNS]
        if not any(chain):
            self.ranks[name] = [row.get(column, "") for column in RANK_COLUMNS]
        texts = (row[column] for column in row if _TEXT_COLUMN.match(column))
        self.add(name, [parent for parent in chain if parent], texts)

    def add(self, name: str, chain: Iterable[str], texts: Iterable[str]) -> None:
        self.names.append(name)
        child = name
        for parent in chain:
            if self.parents.setdefault(child, parent) != parent:
                raise DataError(
                    f"Expected one parent of {child!r}, got {self.parents[child]!r} and {parent!r}."
                )
            child = parent
        kept = tuple(text.strip() for text in texts if text.strip())
        if kept:
            self.texts[name] = kept

    def classes(self) -> ClassList:
        if self.parents or not any(map(any, self.ranks.values())):
            return ClassList(tuple(self.names), self.parents, self.texts)
        used = [i for i in range(len(RANK_COLUMNS)) if any(r[i] for r in self.ranks.values())]
        lineages = [[self.ranks[name][i] for i in used] for name in self.names]
        return with_lineages(self.names, lineages, [RANK_COLUMNS[i] for i in used], self.texts)


def _parse_tree(text: str, suffix: str) -> Any:
    try:
        if suffix == ".json":
            return json.loads(text)
        import yaml

        return yaml.safe_load(text)
    except json.JSONDecodeError as error:
        raise DataError(f"Expected JSON, got {error}.") from None
    except RecursionError:
        raise DataError("Expected a list of class names, got too deep a nesting.") from None
    except Exception as error:
        if type(error).__module__.startswith("yaml"):
            raise DataError(f"Expected YAML, got {' '.join(str(error).split())}.") from None
        raise


def _from_tree(tree: Any) -> ClassList:
    gathered = _Gathered()
    if isinstance(tree, Mapping) and isinstance(tree.get("classes"), list):
        gathered.parents.update(_parents(tree.get("parents") or {}))
        texts = tree.get("texts") or {}
        if not isinstance(texts, Mapping):
            raise DataError("Expected 'texts' to map names to sentences.")
        gathered.texts.update({_name(k): tuple(_sentences(v)) for k, v in texts.items()})
        tree = tree["classes"]
    if isinstance(tree, Mapping):
        _add_mapping(gathered, tree)
    elif isinstance(tree, list):
        for entry in tree:
            _add_entry(gathered, entry)
    else:
        raise DataError(f"Expected a list of class names, got {type(tree).__name__}.")
    return gathered.classes()


def _add_mapping(gathered: _Gathered, tree: Mapping[Any, Any]) -> None:
    keys, values = list(tree), list(tree.values())
    if keys and all(_number(key) is not None for key in keys) and _all_names(values):
        for key in sorted(keys, key=lambda k: _number(k) or 0):  # id to name
            gathered.add(_name(tree[key]), (), ())
    elif values and all(isinstance(v, int) and not isinstance(v, bool) for v in values):
        for key in sorted(keys, key=lambda k: int(tree[k])):  # name to id
            gathered.add(_name(key), (), ())
    else:
        for key, value in tree.items():
            gathered.add(_name(key), (), _sentences(value))


def _add_entry(gathered: _Gathered, entry: Any) -> None:
    if not isinstance(entry, Mapping):
        gathered.add(_name(entry), (), ())
        return
    fields = {str(key).lower(): value for key, value in entry.items()}
    column = next((c for c in NAME_COLUMNS if c in fields), None)
    if column is None:
        raise DataError(f"Expected a 'name' for each class, got {dict(entry)!r}.")
    chain = [_name(fields[c]) for c in PARENT_COLUMNS if fields.get(c)]
    texts = [s for key, v in fields.items() if _TEXT_COLUMN.match(key) for s in _sentences(v)]
    gathered.add(_name(fields[column]), chain, texts)


def _parents(tree: Any) -> dict[str, str]:
    if not isinstance(tree, Mapping):
        raise DataError("Expected 'parents' to map each name to its parent.")
    return {_name(child): _name(parent) for child, parent in tree.items()}


def _number(key: Any) -> int | None:
    if isinstance(key, int) and not isinstance(key, bool):
        return key
    return int(key) if isinstance(key, str) and key.isascii() and key.isdecimal() else None


def _all_names(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _name(value: Any) -> str:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value).strip()  # JSON may spell letters in escapes
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise DataError(f"Expected a class name, got {value!r}; put quotes around it if it is one.")


def _sentences(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and _all_names(value):
        return value
    raise DataError(f"Expected a sentence or a list of them, got {value!r}.")
