"""Images inside tables, `parquet:/data/x.parquet?group=0&row=17&column=image` and `arrow:...`.

This is how the Hugging Face hub stores images: a column of `{bytes, path}`, or of plain bytes. One
image is read at a time, so that one bad image is one failure. A Parquet row group is the least
that can be read, so the last few are cached; an Arrow file is memory-mapped.
"""

import os
import re
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa

from clipfg.data.sources import ByteSource, Signature, read_file, reason, shown, stat_file
from clipfg.errors import ItemError

GROUPS = 4
"""Parquet row groups that are kept in memory."""

_URI = re.compile(
    r"(?:arrow:([^?#]+)\?|parquet:([^?#]+)\?group=(\d{1,9})&)row=(\d{1,18})&column=([^&#]+)",
    re.IGNORECASE,
)
_LOCK = threading.Lock()


def arrow_uri(file: Path | str, row: int, column: str) -> str:
    """The URI of an image in a row of an Arrow file."""
    return f"arrow:{quote(os.fsencode(file))}?row={row}&column={quote(column)}"


def parquet_uri(file: Path | str, group: int, row: int, column: str) -> str:
    """The URI of an image in a row, counted within its row group, of a Parquet file."""
    return f"parquet:{quote(os.fsencode(file))}?group={group}&row={row}&column={quote(column)}"


def holds_images(kind: pa.DataType) -> bool:
    """Whether a column of this type may hold images: bytes, or a struct with `bytes` in it."""
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_bytes(kind.field("bytes").type)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def open_arrow(path: str) -> pa.Table:
    """An Arrow file, stream or random access, mapped into memory. Raises `pa.ArrowException`.

    Every offset is checked first: one that points outside its buffer would end the process.
    """
    mapped = pa.memory_map(path)
    try:
        table = pa.ipc.open_stream(mapped).read_all()
    except pa.ArrowInvalid:
        table = pa.ipc.open_file(mapped).read_all()
    try:
        for field in table.schema:
            _check_names(field)
    except UnicodeDecodeError:
        raise pa.ArrowInvalid("a column's name is no UTF-8") from None
    table.validate(full=True)
    return table


def _check_names(field: pa.Field) -> None:
    assert isinstance(field.name, str)  # decoded when it is asked for
    for place in range(field.type.num_fields):
        _check_names(field.type.field(place))


@lru_cache(maxsize=64)
def _arrow(path: str, _: Signature) -> pa.Table:
    return open_arrow(path)


@lru_cache(maxsize=GROUPS)
def _group(path: str, _: Signature, group: int, column: str) -> pa.Table:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        return file.read_row_group(group, columns=[column])


def _parse(uri: str) -> tuple[str, int | None, int, str]:
    """Path, row group (None in an Arrow file), row and column."""
    match = _URI.match(uri)
    if match is None:
        raise ItemError(
            "Expected arrow:PATH?row=N&column=NAME or parquet:PATH?group=N&row=N&column=NAME,"
            f" got {uri!r}."
        )
    path = unquote(match[1] or match[2], errors="surrogateescape")
    return path, int(match[3]) if match[3] else None, int(match[4]), unquote(match[5])


def _read(uri: str) -> bytes:
    path, group, row, column = _parse(uri)
    stamp = stat_file(path, largest=None)
    try:
        with _LOCK:  # neighbours in a row group wait for the one that reads it
            table = _arrow(path, stamp) if group is None else _group(path, stamp, group, column)
            values = table.column(column)
        cell: Any = values[row].as_py()
    except (pa.ArrowException, OSError, KeyError, IndexError) as error:
        place = f"row {row} of {column!r} in {shown(path)}"
        raise ItemError(f"Expected {place}, got: {reason(error)}.") from None
    inside = isinstance(cell, dict)
    value, where = (cell.get("bytes"), cell.get("path")) if inside else (cell, None)
    if value is None and where:  # only a path was kept: relative to the table's folder
        return read_file(os.path.join(os.path.dirname(path), where))  # noqa: PTH118, PTH120
    if not isinstance(value, bytes):
        raise ItemError(f"Expected an image in row {row} of {shown(path)}, got none.")
    return value


ARROW = PARQUET = ByteSource(_read, lambda uri: stat_file(_parse(uri)[0], largest=None))
