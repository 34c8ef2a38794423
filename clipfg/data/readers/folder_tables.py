"""The tables of a folder that may name its pictures and their classes."""

import re
from pathlib import Path

from clipfg.data.readers import table
from clipfg.data.readers.folder_words import is_beside, is_holder
from clipfg.data.readers.labels import natural, split_name
from clipfg.data.readers.table_columns import NoPathsError, OtherPicturesError
from clipfg.data.readers.table_formats.opening import SUFFIXES, guarded, is_tabular, open_table
from clipfg.data.readers.table_pictures import NOTES
from clipfg.errors import ClipfgError, MissingError
from clipfg.types import Hints, Manifest

LOOKED_AT = 50
"""Files of other suffixes that may be tables: there may be a million of captions."""

MANY = 1000
"""Folders that are looked into for a table in each."""

ANSWERS = re.compile(r"submission|submit|prediction|result|report|inventory", re.IGNORECASE)
"""Tables of answers and of other things."""

Table = tuple[str | None, Path]
"""A table and the split that its place or name says it is of."""


def labelled_tables(path: Path, hints: Hints) -> list[Table]:
    """The tables that name pictures and their classes: in the folders of splits, beside all
    pictures, or one in each folder.
    """
    below: list[Table] = [
        (split, file)
        for place in _folders(path)
        if (split := split_in(place.name)) is not None
        for file in _files(place)
        if _is_labelled(file, hints)
    ]
    if below:
        return below
    for place in _places(path):
        if found := [(split_in(f.stem), f) for f in _files(place) if _is_labelled(f, hints)]:
            return found
    own = [[(None, f) for f in _files(p) if _is_labelled(f, hints)] for p in _folders(path)[:MANY]]
    return [one for found in own for one in found] if all(map(len, own)) else []


def _folders(path: Path) -> list[Path]:
    return [p for p in sorted(path.iterdir(), key=lambda p: natural(p.name)) if p.is_dir()]


def _places(path: Path) -> list[Path]:
    """Where tables of all pictures lie."""
    return [path, *(p for p in _folders(path) if _is_notes(p.name))]


def _is_notes(name: str) -> bool:
    return is_holder(name) or is_beside(name) or name.lower() in NOTES


def without_classes(path: Path, hints: Hints) -> tuple[str, str]:
    """A folder's table that names its pictures and has no known column of classes, and a doubt.

    Also one that cannot be used. Blank where there is none.
    """
    problem = "", ""
    for file in [file for place in _places(unwrapped(path)) for file in _files(place)][:LOOKED_AT]:
        called = file.relative_to(path).as_posix()
        try:
            manifest = table.read(file, hints=hints)
        except MissingError as error:
            return called, str(error)
        except (NoPathsError, OtherPicturesError):
            continue
        except ClipfgError as error:
            problem = problem if problem[0] else (called, f"{called} is not read: {error}")
            continue
        doubts = manifest.reading.doubts if manifest.reading else ()
        if manifest.classes is None and doubts and share_there(manifest) >= 0.5:
            return called, f"{called} names these pictures. {doubts[0]}"
        if "captions" in manifest.table.column_names and share_there(manifest) >= 0.5:
            return called, f"{called} has captions of these pictures; name it as the data."
    return problem


def unwrapped(path: Path) -> Path:
    """The folder inside folders that hold nothing else, and are called like no split."""
    while len(inside := [p for p in path.iterdir() if p.name[:1] not in "._"]) == 1:
        if not inside[0].is_dir() or split_in(inside[0].name):
            break
        path = inside[0]
    return path


def split_in(name: str) -> str | None:
    """The split in a name: `train`, `train_labels`, `birds-val`."""
    return next(filter(None, map(split_name, [name, *re.split(r"[\W_]+", name)])), None)


def _files(path: Path) -> list[Path]:
    try:
        files = sorted(path.iterdir(), key=lambda p: natural(p.name))
    except OSError:
        return []
    others = [file for file in files if file.suffix.lower() not in SUFFIXES][:LOOKED_AT]
    return [
        file
        for file in files
        if not file.name.startswith(".")
        and not ANSWERS.search(file.stem)
        and file.is_file()
        and (file.suffix.lower() in SUFFIXES or (file in others and is_tabular(file)))
    ]


def _is_labelled(file: Path, hints: Hints) -> bool:
    """Whether a table names pictures and their classes."""
    try:
        opened = open_table(file)
        columns = guarded(file, lambda _: table.columns_of(opened, hints))
    except ClipfgError:
        return False
    return bool(columns.labels or columns.one_hot or columns.ranks) and opened.image is None


def share_there(manifest: Manifest) -> float:
    """The share of a table's pictures that are there."""
    missing = manifest.reading.missing if manifest.reading else 0
    return 1 - missing / len(manifest)
