"""Lists of class names as people keep them: text, CSV, JSON, YAML.

In a text file every line is a whole name: commas, quotes and `#` belong to it. A file whose first
line is a CSV header with a column `name` is a CSV, whatever its suffix.
"""

import csv
import io
import json
import logging
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from clipfg.data.readers.class_tables import with_lineages
from clipfg.data.sources import misspelt, reason
from clipfg.errors import DataError, UsageError
from clipfg.types import ClassList

NAME_COLUMNS = ("name", "class", "class_name", "classname", "label", "species", "category")
PARENT_COLUMNS = ("parent", "grandparent")
RANK_COLUMNS = ("genus", "family", "order")
"""Parents whose level is known; used where there is no column `parent`."""
_TEXT_COLUMN = re.compile(r"(texts?|descriptions?|captions?)[ _-]?\d*$")
_DELIMITERS = ",;\t"

_log = logging.getLogger(__name__)


def read_class_list(path: Path | str) -> ClassList:
    """The classes in a file, in its order.

    - text: one name per line;
    - CSV (comma, semicolon or tab): a header with `name` and, optionally, `parent`, `grandparent`
      (or `genus`, `family`, `order`) and any number of `text...` columns; other columns are
      ignored;
    - JSON or YAML: a list of names or of `{name, parent, text}`; a mapping from numbers to names
      or names to numbers; from names to sentences; or `{classes, parents, texts}`.

    UTF-8 and UTF-16 are detected; anything else is read as Windows Latin, with a warning in the
    log. Raises `UsageError` when there is no such file, `DataError` when it holds no class list or
    a name is blank or occurs twice.
    """
    path = Path(path)
    text = _read_text(path)
    suffix = path.suffix.lower()
    try:
        if suffix in {".json", ".yaml", ".yml"}:
            return _from_tree(_parse_tree(text, suffix))
        if delimiter := _csv_delimiter(text, suffix):
            return _from_csv(text, delimiter)
        return ClassList(tuple(name for line in _lines(text) if (name := line.strip())))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise DataError(
            f"Expected a file with a class name per line, got the folder {path};"
            " pass a folder of images as the data instead."
        )
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"Expected a file of class names, but there is none at {path}.{misspelt(path)}"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"Expected a readable file of class names at {path}, got {reason(error)}."
        ) from None
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
        " Images are passed as the data, class names as --classes."
    )


def _lines(text: str) -> list[str]:
    # Not `splitlines`, which also cuts at form feeds and other marks that a name may contain.
    return re.split(r"\r\n|\n|\r", text)


def _csv_delimiter(text: str, suffix: str) -> str | None:
    """The delimiter when `text` is a CSV with a known header, else None."""
    header = next((line for line in _lines(text) if line.strip()), "")
    is_csv = suffix in {".csv", ".tsv"}
    for delimiter in _DELIMITERS:
        row = next(csv.reader([header], delimiter=delimiter), [])
        cells = [cell.strip().lower() for cell in row] or [""]
        known = {*cells} & {*NAME_COLUMNS} if is_csv else cells[0] == "name" and cells[1:]
        if known:
            return delimiter
    if is_csv and any(d in line for line in _lines(text) for d in _DELIMITERS):
        raise DataError(
            f"Expected a header with a column 'name' (name,parent,text), got {header.strip()!r};"
            " add one, or name the file .txt if every line is one name."
        )
    return None


def _numbered(header: list[str]) -> list[str]:
    """The cells of a header, with repeated names made distinct: `text,text` -> `text,text2`."""
    return [f"{c}{n}" if (n := header[: i + 1].count(c)) > 1 else c for i, c in enumerate(header)]


def _from_csv(text: str, delimiter: str) -> ClassList:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    header: list[str] = []
    gathered = _Gathered()
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not header:
                header = _numbered([cell.lower() for cell in cells])
                continue
            if len(header) == 1:
                cells = [delimiter.join(row).strip()]  # the comma can only belong to the name
            if len(cells) > len(header):
                raise DataError(
                    f"Expected {len(header)} cells in line {reader.line_num}, got {len(cells)};"
                    f" put quotes around a name or text with {delimiter!r} in it."
                )
            gathered.add(dict(zip(header, cells, strict=False)), f"line {reader.line_num}")
    except csv.Error as error:
        raise DataError(f"Expected a CSV, got {error} in line {reader.line_num}.") from None
    return gathered.classes()


@dataclass
class _Gathered:
    """Names, parents and texts while they are being collected."""

    names: list[str] = field(default_factory=list)
    parents: dict[str, str] = field(default_factory=dict)
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ranks: list[list[str]] = field(default_factory=list)

    def add(self, fields: Mapping[str, Any], where: str) -> None:
        """One class, from the cells of a row or the fields of an entry."""
        name = next((_name(fields[c]) for c in NAME_COLUMNS if c in fields), "")
        if not name:
            raise DataError(f"Expected a 'name' for each class, got none in {where}.")
        self.names.append(name)
        for child, parent in pairwise(
            [name, *(_name(fields[c]) for c in PARENT_COLUMNS if fields.get(c))]
        ):
            if self.parents.setdefault(child, parent) != parent:
                raise DataError(
                    f"Expected one parent of {child!r}, got {self.parents[child]!r} and {parent!r}."
                )
        self.ranks.append([_name(fields.get(column) or "") for column in RANK_COLUMNS])
        texts = [s for key, v in fields.items() if _TEXT_COLUMN.match(key) for s in _sentences(v)]
        if kept := tuple(text.strip() for text in texts if text.strip()):
            self.texts[name] = kept

    def classes(self) -> ClassList:
        used = [i for i in range(len(RANK_COLUMNS)) if any(ranks[i] for ranks in self.ranks)]
        if self.parents or not used:
            return ClassList(tuple(self.names), self.parents, self.texts)
        lineages = [[ranks[i] for i in used] for ranks in self.ranks]
        return with_lineages(self.names, lineages, [RANK_COLUMNS[i] for i in used], self.texts)


def _parse_tree(text: str, suffix: str) -> Any:
    import yaml

    kind = "JSON" if suffix == ".json" else "YAML"
    try:
        return json.loads(text) if kind == "JSON" else yaml.safe_load(text)
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise DataError(f"Expected {kind}, got {reason(error)}.") from None
    except RecursionError:
        raise DataError("Expected a list of class names, got too deeply nested data.") from None


def _from_tree(tree: Any) -> ClassList:
    gathered = _Gathered()
    if isinstance(tree, Mapping) and isinstance(tree.get("classes"), list):
        parents, texts = tree.get("parents") or {}, tree.get("texts") or {}
        if not isinstance(parents, Mapping):
            raise DataError("Expected 'parents' to map each name to its parent.")
        if not isinstance(texts, Mapping):
            raise DataError("Expected 'texts' to map names to sentences.")
        gathered.parents = {_name(child): _name(parent) for child, parent in parents.items()}
        gathered.texts = {_name(name): tuple(_sentences(value)) for name, value in texts.items()}
        tree = tree["classes"]
    entries = _entries(tree) if isinstance(tree, Mapping) else tree
    if not isinstance(entries, list):
        raise DataError(f"Expected a list of class names, got {type(tree).__name__}.")
    for number, entry in enumerate(entries, 1):
        fields = entry if isinstance(entry, Mapping) else {"name": entry}
        gathered.add({str(key).lower(): v for key, v in fields.items()}, f"entry {number}")
    return gathered.classes()


def _entries(tree: Mapping[Any, Any]) -> list[Any]:
    """The classes of a mapping: from numbers to names, names to numbers or names to sentences."""
    numbered = all(re.fullmatch("[0-9]+", str(key)) for key in tree)
    if numbered and all(isinstance(name, str) for name in tree.values()):
        return [tree[key] for key in sorted(tree, key=int)]
    if all(type(value) is int for value in tree.values()):
        return sorted(tree, key=lambda key: int(tree[key]))
    return [{"name": key, "text": value} for key, value in tree.items()]


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
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return value
    raise DataError(f"Expected a sentence or a list of them, got {value!r}.")
