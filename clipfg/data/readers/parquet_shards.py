"""A clone of a hub repository: `data/train-00000-of-00002.parquet` with images inside.

The split is in a file's name or that of its folder, class names are in its metadata.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers import table
from clipfg.data.readers.folder_words import split_of
from clipfg.data.readers.labels import natural, relabel
from clipfg.types import ClassList, Manifest, Reading, Role


def find(path: Path) -> list[Path]:
    """The Parquet files in a folder and those below it, outside hidden ones."""
    found = [
        file
        for pattern in ("*.parquet", "*/*.parquet", "*/*/*.parquet")
        for file in path.glob(pattern)
        if not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    return sorted(found, key=lambda file: natural(str(file)))


def read(files: list[Path], path: Path, *, classes: ClassList | None = None) -> Manifest:
    """The rows of all files, in their order. Raises `DataError` for a damaged file."""
    parts = [table.read(file) for file in files]
    own = _classes(parts)
    joined = pa.concat_tables(
        [relabel(part, own).table for part in parts], promote_options="default"
    )
    columns: dict[str, Any] = {name: joined[name] for name in joined.column_names}
    if pc.count_distinct(joined["id"]).as_py() < len(joined):
        names = [file.relative_to(path).with_suffix("").as_posix() for file in files]
        pairs = zip(names, parts, strict=True)
        columns["id"] = [f"{name}/{one}" for name, part in pairs for one in part.ids]
    if joined["split"].null_count == len(joined):
        told = zip(map(_split, files), parts, strict=True)
        columns["split"] = [split for split, part in told for _ in range(len(part))]
    what = f"{len(files)} Parquet files"
    reading = Reading("Parquet files", (Role(what, "images"), Role("their names", "split")))
    return relabel(Manifest.build(path.name, columns, own, reading=reading), classes)


def _split(file: Path) -> str | None:
    both = split_of(file.stem.partition("-")[0]) or split_of(file.parent.name)
    return both[0] if both else None


def _classes(parts: list[Manifest]) -> ClassList | None:
    """The classes of all files; in natural order where they have different ones."""
    lists = {part.classes.names: part.classes for part in parts if part.classes}
    if len(lists) < 2:
        return next(iter(lists.values()), None)
    return ClassList(tuple(sorted({name for names in lists for name in names}, key=natural)))
