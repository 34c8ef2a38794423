"""Parquet, with paths of images or with the images themselves."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers.column_names import PATHS, key_of
from clipfg.data.readers.delimited import SAMPLE
from clipfg.data.readers.embedded_images import parquet_uri
from clipfg.data.readers.hub_features import image_column, label_column
from clipfg.data.readers.table_columns import CORNERS, NoPathsError
from clipfg.data.readers.table_formats.base import TableFile
from clipfg.data.readers.table_formats.cells import STRUCTURED, typed


def open_parquet(path: Path) -> TableFile:
    """A Parquet file. Raises `NoPathsError` for one with neither paths nor images."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        groups = [file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)]
        image = image_column(schema, typed=True)
        strings = {f.name for f in schema if str(f.type) in {"string", "large_string"}}
        if image is None and not {key_of(name) for name in strings}.intersection(PATHS):
            image = image_column(schema)
        if image is None and not strings:
            raise NoPathsError(f"Expected paths or images in a column of {path}, got neither.")
        flat = [f.name for f in schema if f.name != image and not pa.types.is_struct(f.type)]
        head = next(file.iter_batches(SAMPLE, columns=flat), None) if sum(groups) else None
    label, names = label_column(schema)
    sample = {
        name: [] if head is None else [value or "" for value in _texts(head[name]).to_pylist()]
        for name in flat
    }

    def read(chosen: Mapping[str, str]) -> pa.Table:
        with parquet.ParquetFile(path) as opened:
            table = opened.read(columns=list(dict.fromkeys(chosen.values())))
            found = {
                ours: table[theirs] if ours in {*STRUCTURED, *CORNERS} else _texts(table[theirs])
                for ours, theirs in chosen.items()
            }
            if "captions" in found:
                found["captions"] = typed(found["captions"].to_pylist(), "captions", path)
            if image is not None:
                where = enumerate(groups)
                uris = [parquet_uri(path, k, r, image) for k, rows in where for r in range(rows)]
                found["uri"] = pa.array(uris, pa.string())
                found.setdefault("id", _ids_inside(opened, image, len(uris)))
        return pa.table(found)

    return TableFile(
        *("Parquet", tuple(flat), sample, read),
        image=image,
        label=label if names else None,
        class_names=tuple(names or ()),
    )


def _texts(values: Any) -> Any:
    """Any column as text: lists and other structures as JSON."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _texts(values.cast(kind.value_type))
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        rows = [None if v is None else json.dumps(v, default=str) for v in values.to_pylist()]
        return pa.array(rows, pa.string())
    if pa.types.is_floating(kind):  # numbers with gaps, as pandas has them
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, kind), values)
    return values.cast(pa.string())


def _ids_inside(file: Any, image: str, rows: int) -> pa.Array:
    """The original paths of the images, where each has its own; else their row numbers."""
    if pa.types.is_struct(file.schema_arrow.field(image).type):
        cells = file.read(columns=[f"{image}.path"]).column(0).to_pylist() if rows else []
        paths = [cell.get("path") if cell else None for cell in cells]
        if all(paths) and len(set(paths)) == rows:
            return pa.array(paths, pa.string())
    return pa.array([str(row) for row in range(rows)], pa.string())
