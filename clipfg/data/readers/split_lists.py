"""Lists of pictures that say which split each is of: `train.txt` and `test.txt` beside classes."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers import table
from clipfg.data.readers.folder_words import split_of
from clipfg.data.readers.labels import split_name
from clipfg.data.readers.picture_index import PictureIndex
from clipfg.data.readers.text import lines_of, read_text
from clipfg.data.readers.walk import Walk
from clipfg.errors import ClipfgError
from clipfg.trees import parse_json
from clipfg.types import Manifest, Reading, Role

LARGEST = 1 << 26
_LIST = re.compile(r"[_-](?:lists?|ids|names|files)$", re.IGNORECASE)
COVERED = 0.9
"""The least share of the pictures that lists of splits name."""


def with_listed_splits(manifest: Manifest, found: Walk) -> Manifest:
    """The manifest with splits where it has none, from lists that name nearly all pictures.

    Where lists are of held-out splits alone, all other pictures are for training.
    """
    if manifest.splits or manifest.classes is None:
        return manifest
    index = PictureIndex(found.pictures)
    splits: dict[str, str] = {}
    used: dict[Path, None] = {}
    named: set[str] = set()
    try:
        for path, split, names in _lists(found):
            places = index.find_all(names)
            if split in named or None in places:
                return manifest
            used[path] = None
            named.add(split)
            splits |= {str(found.root / place): split for place in places if place}
    except ClipfgError:
        return manifest
    rest = None if "train" in named else "train"
    column = pa.array([splits.get(uri, rest) for uri in manifest.uris], pa.string())
    if len(pc.unique(column)) < 2 or column.null_count > (1 - COVERED) * len(manifest):
        return manifest
    rows = manifest.table
    rows = rows.set_column(rows.column_names.index("split"), "split", column)
    reading = manifest.reading or Reading("pictures")
    roles = (*reading.roles, Role(", ".join(_shown(path, found.root) for path in used), "splits"))
    listed = {path.name for path in used}
    kept = tuple(one for one in reading.left_out if Path(one.what).name not in listed)
    return replace(manifest, table=rows, reading=replace(reading, roles=roles, left_out=kept))


def _lists(found: Walk) -> Iterator[tuple[Path, str, list[str]]]:
    """Each list with its split: `test.txt`, `testing_list.txt`, `test.csv` without labels, or those
    of one `splits.json` or `split.csv`.
    """
    for parts in found.others.get(".txt", []):
        stem = _LIST.sub("", parts[-1].removesuffix(".txt"))
        told = split_of(stem)
        path = found.root.joinpath(*parts)
        if told and not told[1] and path.is_file() and path.stat().st_size <= LARGEST:
            lines = lines_of(read_text(path, "a list"))
            yield path, told[0], [line.strip() for line in lines if line.strip()]
    for parts in found.others.get(".json", []):
        path = found.root.joinpath(*parts)
        if "split" in parts[-1].lower() and path.stat().st_size <= LARGEST:
            content = parse_json(read_text(path, "a list"))
            for name, names in content.items() if isinstance(content, dict) else ():
                if (split := split_name(name)) and isinstance(names, list):
                    yield path, split, [name for name in names if isinstance(name, str)]
    for parts in (*found.others.get(".csv", []), *found.others.get(".tsv", [])):
        path = found.root.joinpath(*parts)
        told = split_of(path.stem)
        if "split" not in path.stem.lower() and (not told or told[1]):
            continue
        listed = table.read(path)
        splits = listed.splits or ({told[0]: len(listed)} if told else {})
        for split in () if listed.classes else splits:
            rows = listed.table
            rows = rows.filter(pc.equal(rows["split"], split)) if listed.splits else rows
            yield path, split, rows["uri"].to_pylist()


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
