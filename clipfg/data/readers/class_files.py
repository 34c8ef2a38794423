"""Lists of class names as people keep them: text, CSV, JSON, YAML, label maps, or typed.

In a text file every line is a whole name: commas, quotes and `#` belong to it. A file whose first
line is a CSV header with a column `name` is a CSV, whatever its suffix. The other forms are those
of `class_forms`.
"""

import re
from collections import Counter
from pathlib import Path

from clipfg.data.readers.class_forms import classes_of_lines, classes_of_tree
from clipfg.data.readers.class_records import classes_of, is_name_column
from clipfg.data.readers.codes import is_nameless
from clipfg.data.readers.column_names import key_of
from clipfg.data.readers.delimited import dialect_of, rows_of
from clipfg.data.readers.text import lines_of, read_text
from clipfg.errors import DataError
from clipfg.trees import parse_json, parse_yaml
from clipfg.types import ClassList

WHAT = "class names"
SUFFIXES = frozenset(
    {".txt", ".csv", ".tsv", ".json", ".yaml", ".yml", ".md", ".pbtxt", ".names", ".lst"}
)


FOREIGN = frozenset({".xlsx", ".xls", ".ods", ".pkl", ".pickle", ".npy", ".mat", ".py", ".pdf"})
"""Of files that hold more than a list of names."""


def read_class_list(
    path: Path | str, *, name_column: str | None = None, ids: bool = False
) -> ClassList:
    """The classes in a file, in its order, or names typed with commas where there is no such file.

    - text: one name per line, or numbers or synset ids and names;
    - CSV (comma, semicolon or tab): a header with `name` or another usual one and, optionally, ids,
      other names, `parent`, `grandparent` (or ranks: `genus`, `family`, ...) and any number of
      `text...` columns; other columns are ignored;
    - JSON or YAML: a list of names or of `{name, parent, text}`; a mapping from numbers to names
      or names to numbers; from names to sentences; `{classes, parents, texts}`; and the files of
      other tools that hold such a list (`class_forms`).

    `name_column` is as for `classes_of`. With `ids`, a mapping from texts to texts goes from ids to
    names, where otherwise it goes from names to sentences.

    UTF-8 and UTF-16 are detected; anything else is read as Windows Latin, with a warning in the
    log. Raises `UsageError` when there is no such file, `DataError` when it holds no class list or
    a name is blank or occurs twice.
    """
    path = Path(path)
    if (typed := _typed(path)) is not None:
        return ClassList(typed)
    suffix = path.suffix.lower()
    if suffix in FOREIGN and path.is_file():
        raise DataError(
            f"Expected class names as text, CSV, JSON or YAML, got {path}; save them as one of"
            " these."
        )
    text = read_text(path, WHAT)
    try:
        if suffix in {".json", ".yaml", ".yml", ".md"}:
            tree = parse_json(text) if suffix == ".json" else parse_yaml(_front(text, suffix))
            return classes_of_tree(tree, ids=ids, name_column=name_column)
        if (table := _table(text, suffix, name_column)) is not None:
            return table
        return classes_of_lines(lines_of(text))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _typed(path: Path) -> tuple[str, ...] | None:
    """Names typed with commas between them; None for what is, or looks like, a path."""
    text = str(path)
    try:
        if "," not in text or path.exists() or path.suffix.lower() in SUFFIXES:
            return None
    except (OSError, ValueError):  # too long for a path, so no path
        pass
    return tuple(name for part in text.split(",") if (name := part.strip()))


def _front(text: str, suffix: str) -> str:
    """A YAML file, or the YAML between two lines of dashes at the start of a data card."""
    if suffix != ".md":
        return text
    match = re.match(r"\s*---\s*\n(.*?)\n---\s*(\n|$)", text, re.DOTALL)
    if match is None:
        raise DataError("Expected a data card that begins with YAML between two lines of ---.")
    return match[1]


def _table(text: str, suffix: str, name_column: str | None) -> ClassList | None:
    """The classes of a CSV with a known header, else None. Raises `DataError`s."""
    is_csv = suffix in {".csv", ".tsv"}
    try:
        dialect = dialect_of(text, "\t" if suffix == ".tsv" else None)
    except DataError:
        return None
    header = [cell.lower() for cell in dialect.first]
    keys = [key_of(cell) for cell in header]
    wanted = [key_of(part) for part in name_column.split(",")] if name_column else []
    named = any(is_name_column(key) or key in wanted for key in keys)
    if not is_csv and not ("name" in keys and len(keys) > 1 and header[0] in {"name", "id"}):
        return None
    if not named:
        if len(header) == 1:
            return None
        return _without_header(text, dialect.first)
    columns = _numbered(header)
    records, wheres = [], []
    rows = rows_of(text, dialect)
    next(rows)  # the header
    for line, row in rows:
        cells = [cell.strip() for cell in row]
        if len(header) == 1:
            cells = [dialect.delimiter.join(row).strip()]  # the comma can only belong to the name
        if len(cells) > len(header):
            raise DataError(
                f"Expected {len(header)} cells in line {line}, got {len(cells)};"
                f" put quotes around a name or text with {dialect.delimiter!r} in it."
            )
        records.append(dict(zip(columns, cells, strict=False)))
        wheres.append(f"line {line}")
    return classes_of(records, wheres, name_column)


def _without_header(text: str, first: tuple[str, ...]) -> ClassList:
    """A CSV of ids and names, in either order. Raises `DataError` for another."""
    rows = [[cell.strip() for cell in row] for _, row in rows_of(text, dialect_of(text))]
    if len(first) == 2 and all(len(row) == 2 for row in rows):
        for place in (0, 1):
            codes = [row[place] for row in rows]
            if all(map(is_nameless, codes)) and len(set(codes)) == len(codes):
                records = [{"id": row[place], "name": row[1 - place]} for row in rows]
                return classes_of(records, [f"line {n}" for n in range(1, len(rows) + 1)])
    raise DataError(
        f"Expected a header with a column 'name' (name,parent,text), got {','.join(first)!r:.80};"
        " add one, or name the file .txt if every line is one name."
    )


def _numbered(header: list[str]) -> list[str]:
    """The cells of a header, with repeated names made distinct: `text,text` -> `text,text2`."""
    seen: Counter[str] = Counter()
    found = []
    for cell in header:
        seen[cell] += 1
        found.append(f"{cell}{seen[cell]}" if seen[cell] > 1 else cell)
    return found
