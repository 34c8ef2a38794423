"""The formats of tables of images: CSV, TSV, JSON lines and Parquet, read in columns."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from clipfg.data.readers.embedded_images import parquet_uri
from clipfg.data.readers.hub_features import LABELS, image_column, label_column
from clipfg.data.sources import reason
from clipfg.errors import DataError
from clipfg.registry import closest
from clipfg.types import BOX, REGION

SUFFIXES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq"})

ALIASES: dict[str, tuple[str, ...]] = {
    "uri": (
        *("path", "uri", "image", "file", "filename", "filepath", "file_name", "file_path"),
        *("image_path", "img_path", "image_file"),
    ),
    "label": LABELS,
    "split": ("split", "set", "subset"),
    "caption": ("caption", "text"),
    **{column: (column,) for column in ("id", "box", "regions", "bag", "view", "domain", "parent")},
}
"""A manifest's columns and their names in tables; the first that occurs is taken."""

CORNERS = ("x0", "y0", "x1", "y1")
"""Columns that together make a box, in pixels of the full image."""

CLASSES = b"clipfg.classes"
"""Metadata of a table: the class names that its integer labels index, as JSON."""

STRUCTURED = {"box": BOX, "regions": pa.list_(REGION)}


class NoPathsError(DataError):
    """A table that names no images."""


def read_columns(path: Path) -> pa.Table:
    """The known columns under a manifest's names; labels as text or integers.

    Raises `DataError` for a file that is not what its suffix says, or has no column for the path.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in {".parquet", ".pq"}:
            return _join_corners(_read_parquet(path))
        if suffix in {".jsonl", ".ndjson"}:
            return _join_corners(_read_json_lines(path))
        return _join_corners(_read_csv(path))
    except OSError as error:
        raise DataError(f"Expected a readable table at {path}, got {reason(error)}.") from None
    except pa.ArrowException as error:
        kind = suffix.lstrip(".").upper()
        raise DataError(f"Expected {kind} in {path}, got: {reason(error)}.") from None


def _choose(header: list[str], path: Path, needed: bool = True) -> dict[str, str]:
    """The table's column for each of ours. Raises `DataError` when a required path has none."""
    at = {column.strip().lower(): column for column in reversed(header)}
    named = {column: [at[a] for a in aliases if a in at] for column, aliases in ALIASES.items()}
    chosen = {column: found[0] for column, found in named.items() if found}
    if "uri" not in chosen and needed:
        shown = ", ".join(repr(column) for column in header[:12])
        near = next((hint for c in at if (hint := closest(c, ALIASES["uri"]))), "")
        raise NoPathsError(
            f"Expected a column named {', '.join(ALIASES['uri'][:6])} in {path},"
            f" got {shown or 'none'}.{near}"
        )
    if "box" not in chosen and all(corner in at for corner in CORNERS):
        chosen.update({corner: at[corner] for corner in CORNERS})
    return chosen


def _read_csv(path: Path) -> pa.Table:
    from pyarrow import csv

    with path.open("rb") as file:
        head = file.read(1 << 16)
    wide = head[:2] in {b"\xff\xfe", b"\xfe\xff"}
    if b"\0" in head and not wide:
        raise DataError(f"Expected a CSV at {path}, got a binary file.")
    encoding = "utf-16" if wide else "utf-8"
    text = head.decode(encoding, errors="replace").lstrip("\ufeff").lstrip("\r\n")
    header = text.partition("\n")[0].partition("\r")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)
    names = [cell.strip().strip('"').strip() for cell in header.split(delimiter)]
    chosen = _choose(names, path)
    options = csv.ConvertOptions(
        include_columns=list(dict.fromkeys(chosen.values())),
        column_types=dict.fromkeys(chosen.values(), pa.string()),
        null_values=[""],
        strings_can_be_null=True,
    )
    parse = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    rows = csv.ReadOptions(encoding=encoding, column_names=_unique(names), skip_rows_after_names=1)
    try:
        table = csv.read_csv(path, rows, parse, options)
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error):
            raise
        rows.encoding = "cp1252"
        table = csv.read_csv(path, rows, parse, options)
    found = {ours: table[theirs] for ours, theirs in chosen.items()}
    for column in STRUCTURED.keys() & found:
        cells = enumerate(found[column].to_pylist(), 1)
        values = [_parse_cell(value, column, row, path) for row, value in cells]
        found[column] = _typed(values, column, path)
    return pa.table(found)


def _unique(names: list[str]) -> list[str]:
    """Column names with repetitions and blanks made distinct, so that Arrow accepts them."""
    first = {name: i for i, name in reversed([*enumerate(names)])}
    return [n if n and first[n] == i else f"{n}#{i}" for i, n in enumerate(names)]


def _parse_cell(value: str | None, column: str, row: int, path: Path) -> Any:
    """A box or regions as a CSV holds them: JSON, or four numbers."""
    if not value:
        return None
    try:
        if column == "box" and not value.lstrip().startswith("["):
            return [float(part) for part in value.replace(",", " ").split()]
        return json.loads(value)
    except ValueError:
        place = f"row {row} of {path}"
        raise DataError(f"Expected JSON as {column} in {place}, got {value!r:.80}.") from None


def _typed(values: list[Any], column: str, path: Path) -> pa.Array:
    try:
        return pa.array(values, STRUCTURED[column])
    except (pa.ArrowException, TypeError, ValueError) as error:
        what = "[x0, y0, x1, y1]" if column == "box" else "[{box, phrase}, ...]"
        raise DataError(f"Expected {column} as {what} in {path}, got: {error}.") from None


def _join_corners(table: pa.Table) -> pa.Table:
    """Four columns of numbers as one of boxes; a row that lacks a number has no box."""
    if not set(CORNERS) <= set(table.column_names):
        return table
    columns = [table[corner].cast(pa.float32()).to_pylist() for corner in CORNERS]
    boxes = [None if None in row else list(row) for row in zip(*columns, strict=True)]
    return table.drop_columns(list(CORNERS)).append_column("box", pa.array(boxes, BOX))


def _read_parquet(path: Path) -> pa.Table:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        image = image_column(schema, typed=True)
        chosen = {} if image else _choose(schema.names, path, needed=False)
        kind = schema.field(chosen["uri"]).type if "uri" in chosen else "no such column"
        if str(kind) not in {"string", "large_string"}:
            if image := image or image_column(schema):
                return _read_images(file, path, image)
            raise DataError(f"Expected paths or images in a column of {path}, got {kind}.")
        table = file.read(columns=list(dict.fromkeys(chosen.values())))
    return pa.table({ours: table[theirs] for ours, theirs in chosen.items()})


def _read_images(file: Any, path: Path, image: str) -> pa.Table:
    """The columns of a table that holds the images themselves, as the hub writes them.

    Class names in the file go into the result's metadata, under `CLASSES`.
    """
    others = [name for name in file.schema_arrow.names if name != image]
    chosen = _choose(others, path, needed=False)
    chosen.pop("uri", None)
    label, names = label_column(file.schema_arrow)
    if label:
        chosen["label"] = label
    groups = [file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)]
    uris = [parquet_uri(path, k, r, image) for k, rows in enumerate(groups) for r in range(rows)]
    columns: dict[str, Any] = {"uri": pa.array(uris, pa.string())}
    if chosen:
        table = file.read(columns=list(dict.fromkeys(chosen.values())))
        columns |= {ours: table[theirs] for ours, theirs in chosen.items()}
    columns.setdefault("id", _ids_inside(file, image, len(uris)))
    metadata = {CLASSES: json.dumps(names)} if names else None
    return pa.table(columns).replace_schema_metadata(metadata)


def _ids_inside(file: Any, image: str, rows: int) -> pa.Array:
    """The original paths of the images, where each has its own; else their row numbers."""
    if pa.types.is_struct(file.schema_arrow.field(image).type):
        cells = file.read(columns=[f"{image}.path"]).column(0).to_pylist() if rows else []
        paths = [cell.get("path") if cell else None for cell in cells]
        if all(paths) and len(set(paths)) == rows:
            return pa.array(paths, pa.string())
    return pa.array([str(row) for row in range(rows)], pa.string())


def _read_json_lines(path: Path) -> pa.Table:
    header: dict[str, None] = {}
    wanted = {*CORNERS, *(alias for aliases in ALIASES.values() for alias in aliases)}
    rows = []
    for row in _json_rows(path):
        header |= dict.fromkeys(row)
        rows.append({k: value for k, value in row.items() if k.strip().lower() in wanted})
    chosen = _choose(list(header), path)
    return pa.table(
        {ours: _from_json([r.get(k) for r in rows], ours, path) for ours, k in chosen.items()}
    )


def _from_json(values: list[Any], column: str, path: Path) -> pa.Array:
    if column in STRUCTURED:
        return _typed(values, column, path)
    if column in CORNERS:
        return pa.array(values, pa.float32())
    if column == "label" and all(value is None or type(value) is int for value in values):
        return pa.array(values, pa.int64())
    texts = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
    return pa.array(texts, pa.string())


def _json_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                place = f"line {number} of {path}"
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise DataError(f"Expected JSON in {place}, got {error}.") from None
                if not isinstance(row, Mapping):
                    raise DataError(f"Expected an object in {place}, got {row!r:.60}.")
                yield row
    except UnicodeDecodeError:
        raise DataError(f"Expected JSON lines in UTF-8 at {path}, got another encoding.") from None
