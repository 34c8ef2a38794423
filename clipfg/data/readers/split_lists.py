"""Lists of pictures that say which split each is of: `train.txt` and `test.txt` beside classes."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from clipfg.data.readers.folder_words import split_of
from clipfg.data.readers.picture_index import PictureIndex
from clipfg.data.readers.text import lines_of, read_text
from clipfg.data.readers.walk import Walk
from clipfg.errors import ClipfgError
from clipfg.types import Manifest, Reading, Role

LARGEST = 1 << 26
COVERED = 0.9
"""The least share of the pictures that lists of splits name."""


def with_listed_splits(manifest: Manifest, found: Walk) -> Manifest:
    """The manifest with splits where it has none, from lists that name nearly all pictures."""
    if manifest.splits or manifest.classes is None:
        return manifest
    lists: dict[Path, str] = {}
    for parts in found.others.get(".txt", []):
        told = split_of(parts[-1].removesuffix(".txt"))
        path = found.root.joinpath(*parts)
        if told and not told[1] and path.is_file() and path.stat().st_size <= LARGEST:
            lists[path] = told[0]
    if len({*lists.values()}) < 2 or len({*lists.values()}) < len(lists):
        return manifest
    index = PictureIndex(found.pictures)
    splits: dict[str, str] = {}
    for path, split in lists.items():
        try:
            names = [line.strip() for line in lines_of(read_text(path, "a list")) if line.strip()]
            places = index.find_all(names)
        except ClipfgError:
            return manifest
        splits |= {str(found.root / place): split for place in places if place}
        if None in places:
            return manifest
    column = pa.array([splits.get(uri) for uri in manifest.uris], pa.string())
    if column.null_count > (1 - COVERED) * len(manifest):
        return manifest
    table = manifest.table
    table = table.set_column(table.column_names.index("split"), "split", column)
    reading = manifest.reading or Reading("pictures")
    roles = (*reading.roles, Role(", ".join(_shown(path, found.root) for path in lists), "splits"))
    used = {path.name for path in lists}
    kept = tuple(one for one in reading.left_out if Path(one.what).name not in used)
    return replace(manifest, table=table, reading=replace(reading, roles=roles, left_out=kept))


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
