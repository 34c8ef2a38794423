"""Lists of pictures that are called as their class: `Blue_Jay.txt` and `Mallard.txt`."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from clipfg.data.readers import table
from clipfg.data.readers.folder_words import FOLD, SETS, is_group, is_holder, split_of, words
from clipfg.data.readers.labels import index_labels, readable_names
from clipfg.data.readers.picture_index import PictureIndex
from clipfg.data.readers.split_lists import LARGEST
from clipfg.data.readers.text import lines_of, read_text
from clipfg.data.readers.walk import Walk
from clipfg.errors import ClipfgError
from clipfg.types import Manifest, Reading, Role

COVERED = 0.9
"""The least share of the pictures that lists of classes name."""
SUFFIXES = (".txt", ".csv", ".tsv")
MOST = 1000
"""Lists that are looked at: with more files, they are of the pictures."""


def with_listed_classes(manifest: Manifest, found: Walk) -> Manifest:
    """The manifest with classes where it has none, from lists that name nearly all pictures.

    Each is in one list, and nothing else is in them.
    """
    files = [p for s in SUFFIXES for p in found.others.get(s, [])]
    if manifest.classes is not None or not 1 < len(files) <= MOST:
        return manifest
    index = PictureIndex(found.pictures)
    listed: dict[str, Path] = {}
    count = 0
    try:
        for path, names in _lists(found):
            places = {place for place in index.find_all(names) if place}
            if 2 * len(places) < len({*names}):
                continue  # a list of something else
            listed |= {str(found.root / place): path for place in places}
            count += len(places)
    except ClipfgError:
        return manifest
    lists = [*dict.fromkeys(listed.values())]
    if len(lists) < 2 or len(listed) < max(count, COVERED * len(manifest)):
        return manifest
    called = dict(zip(lists, readable_names([path.stem for path in lists]), strict=True))
    given = [called[listed[uri]] if uri in listed else None for uri in manifest.uris]
    labels, classes = index_labels(pa.array(given, pa.string()), None)
    rows = manifest.table
    rows = rows.set_column(rows.column_names.index("label"), "label", labels)
    reading = manifest.reading or Reading("pictures")
    files_ = ", ".join(path.name for path in lists[:3]) + (", ..." if len(lists) > 3 else "")
    own = {path.relative_to(found.root).as_posix() for path in lists}
    reading = replace(
        reading,
        form="a list for each class",
        roles=(*reading.roles, Role(files_, "class")),
        left_out=tuple(one for one in reading.left_out if one.what not in own),
    )
    return replace(manifest, table=rows, classes=classes, reading=reading)


def _lists(found: Walk) -> Iterator[tuple[Path, list[str]]]:
    """Each list that may be of a class, with the pictures in it."""
    pictures = {parts[-1].rpartition(".")[0] for parts in found.pictures}
    for suffix in SUFFIXES:
        for parts in found.others.get(suffix, []):
            path = found.root.joinpath(*parts)
            if path.stem in pictures or _says_no_class(path.stem):
                continue
            if suffix != ".txt":
                with suppress(ClipfgError):  # a table of something else
                    listed = table.read(path)
                    if listed.classes is None:
                        yield path, listed.uris
            elif path.stat().st_size <= LARGEST:
                lines = lines_of(read_text(path, "a list"))
                yield path, [line.strip() for line in lines if line.strip()]


def _says_no_class(stem: str) -> bool:
    """Whether a list is of a split, of all, or of a part of the pictures by its name."""
    part = FOLD.fullmatch(words(stem)) or words(stem) in SETS or is_group(stem)
    return bool(split_of(stem) or is_holder(stem) or part)
