"""The pictures that a table names: where they are said to be, or found below its folder by name."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.data.readers.column_values import Sample
from clipfg.data.readers.folder_words import is_holder
from clipfg.data.readers.labels import split_name
from clipfg.data.readers.picture_index import PictureIndex
from clipfg.data.readers.table_columns import OtherPicturesError, TableColumns
from clipfg.data.sources import SOURCES, file_uri, scheme_of, shown, signature
from clipfg.errors import DataError, ItemError

LISTED = 10
"""Most pictures that a message names."""

NOTES = frozenset({"annotations", "labels", "metadata", "meta", "csv", "splits", "lists", "tables"})
"""Folders of tables, whose pictures lie beside them."""
_FOLDER = re.compile(r"\w[\w .-]{0,80}")


@dataclass
class Pictures:
    """Where the picture of each row is."""

    uris: pa.Array
    column: str
    """The column of the table that names them."""
    found: int = 0
    """Rows whose picture was found by name."""
    missing: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    """Rows whose picture was not found, and keep the path of the table."""
    example: str = ""
    """A picture of the folder, where some are missing."""


def find_pictures(
    given: Mapping[str, pa.Array], path: Path, splits: pa.Array | None = None
) -> Pictures:
    """The pictures of a table at `path`.

    `given` are the columns that may name them, as text, the likeliest first. A path is taken as it
    is where there is a picture; all others are looked for below the table's folder by the end of
    the path, the name, and the name without suffix. `splits` help where a name occurs in several.

    Raises `DataError` for a name that fits several pictures, and where the folder has pictures but
    none that the table names.
    """
    column = next(iter(given))
    folder = path.parent
    uris = resolve(given[column], folder)
    there = _present(uris)
    absent = np.flatnonzero(~there)
    if not len(absent):
        return Pictures(uris, column)
    root, index = _index(folder)
    places: list[str | None] = []
    problem: DataError | None = None
    best = column
    for tried, names in given.items() if len(index) else ():
        texts = names.take(pa.array(absent)).fill_null("").to_pylist()
        try:
            found = _find(index, texts, path, splits, absent)
        except DataError as error:
            problem = problem or error
            continue
        if sum(map(bool, found)) > sum(map(bool, places)):
            places, best = found, tried
        if places and None not in places:
            break
    if not any(places):
        if problem is not None:
            raise DataError(f"{problem} ({path})")
        _check_any(given[column], uris, there, index, root, path)
        return Pictures(uris, column, missing=absent)
    rows = [row for row, place in zip(absent.tolist(), places, strict=True) if place]
    new = [file_uri(os.path.join(root, place)) for place in places if place]  # noqa: PTH118
    mask = np.zeros(len(uris), bool)
    mask[rows] = True
    uris = pc.replace_with_mask(uris, pa.array(mask), pa.array(new, pa.string()))
    missing = np.array([row for row in absent if not mask[row]], np.intp)
    return Pictures(uris, best, len(rows), missing, _example(index))


def folder_column(columns: TableColumns, sample: Sample, path: Path) -> str | None:
    """The column that names the folders of pictures whose names stand alone: a site, a camera."""
    names = sample[columns.paths[0]] if columns.paths else ()
    if columns.folder or not any(names) or any("/" in name or "\\" in name for name in names):
        return columns.folder
    root = path.parent.parent if path.parent.name.lower() in NOTES else path.parent
    folders: set[str] = set()
    for column, values in sample.items():
        given = {*values}
        if column in columns.labels or len(given) < 2 or not all(map(_FOLDER.fullmatch, given)):
            continue
        folders = folders or _folders(root)
        if given <= folders:
            return column
    return None


def _folders(root: Path) -> set[str]:
    """The names of the folders in a folder, and in those of them that only hold pictures."""
    found: set[str] = set()
    for folder in (root, *(p for p in root.iterdir() if is_holder(p.name) and p.is_dir())):
        with suppress(OSError), os.scandir(folder) as listing:
            found |= {entry.name for entry in listing if entry.is_dir()}
    return found


def resolve(given: pa.Array, folder: Path) -> pa.Array:
    """Absolute paths; URIs with a scheme stay as they are."""
    # For speed, only unusual paths (absolute, dotted, with a scheme) go through Python.
    odd = pc.match_substring_regex(given, r"^/|(^|/)\.{0,2}/|/\.\.$|^[A-Za-z][A-Za-z0-9+.-]*:|^~")
    joined = pc.binary_join_element_wise(str(folder).rstrip("/"), given, "/")
    if not pc.any(odd).as_py():
        return joined
    straight = [_absolute(value, folder) for value in given.filter(odd).to_pylist()]
    return pc.replace_with_mask(joined, odd, pa.array(straight, pa.string()))


def _absolute(value: str, folder: Path) -> str:
    if scheme_of(value) is not None:
        return value
    path = os.path.expanduser(value)  # noqa: PTH111 - text to text, for a million rows
    return file_uri(os.path.normpath(os.path.join(folder, path)))  # noqa: PTH118


def _present(uris: pa.Array) -> NDArray[np.bool_]:
    """Which paths are there; a folder is listed once, however many rows it has."""
    folders = pc.replace_substring_regex(uris, "/[^/]*$", "").dictionary_encode()
    bases = pc.replace_substring_regex(uris, "^.*/", "")
    there = np.zeros(len(uris), bool)
    codes = folders.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(folders.dictionary) + 1))
    for place, folder in enumerate(folders.dictionary.to_pylist()):
        rows = order[bounds[place] : bounds[place + 1]]
        if not folder.startswith("/") and folder:
            scheme = uris[int(rows[0])].as_py()
            known = [_is_known(uris[int(row)].as_py()) for row in rows]
            there[rows] = known if scheme_of(scheme) is not None else False
            continue
        try:
            with os.scandir(folder or "/") as listing:
                names = [entry.name for entry in listing if _is_text(entry.name)]
        except (OSError, ValueError):
            continue
        own = bases.take(pa.array(rows))
        there[rows] = pc.is_in(own, pa.array(names, pa.string())).to_numpy(zero_copy_only=False)
    return there


def _is_known(uri: str) -> bool:
    """Whether a URI can be read here: a file of another machine (`file:/C:/1.jpg`) cannot."""
    scheme = scheme_of(uri)
    try:
        return scheme in SOURCES and (scheme != "file" or signature(uri) is not None)
    except ItemError:
        return False


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _index(folder: Path) -> tuple[Path, PictureIndex]:
    """The pictures below a table's folder, or beside it where it holds nothing but tables."""
    index = PictureIndex.below(folder)
    if not len(index) and folder.name.lower() in NOTES:
        return folder.parent, PictureIndex.below(folder.parent)
    return folder, index


def _find(
    index: PictureIndex,
    names: list[str],
    path: Path,
    splits: pa.Array | None,
    rows: NDArray[np.intp],
) -> list[str | None]:
    """Pictures by name; a name of several splits is the one of the row's, or of the table's own."""
    wanted = sorted(set(filter(None, names)))
    try:
        found = dict(zip(wanted, index.find_all(wanted), strict=True))
        return [found.get(name) for name in names]
    except DataError:
        own = next(filter(None, map(split_name, re.split(r"[\W_]+", path.stem))), None)
        given = [own] * len(names) if splits is None else splits.take(pa.array(rows)).to_pylist()
        if not all(given):
            raise
    parents = {split: _split_folder(index, split) for split in set(given)}
    full = [f"{parents[split]}/{name}" for split, name in zip(given, names, strict=True)]
    return list(index.find_all(full))


def _split_folder(index: PictureIndex, split: str | None) -> str:
    """The folder of a split among those of the pictures."""
    folders = {place[-2] for place in index.pictures if len(place) > 1}
    fitting = [f for f in folders if split in map(split_name, [f, *re.split(r"[\W_]+", f)])]
    return fitting[0] if len(fitting) == 1 else str(split)


def _check_any(
    given: pa.Array,
    uris: pa.Array,
    there: NDArray[np.bool_],
    index: PictureIndex,
    root: Path,
    path: Path,
) -> None:
    """Raise `DataError` where a table and the folder's pictures have nothing in common."""
    if there.any():
        return
    first = shown(given[0].as_py())
    if pc.all(pc.match_substring_regex(uris, "^https?:", ignore_case=True)).as_py():
        raise DataError(
            f"Expected pictures on this machine, got addresses in {path}, the first {first!r:.120};"
            " fetch them into its folder (img2dataset does), by the names or ids that it has."
        )
    if len(index):
        raise OtherPicturesError(
            f"Expected the pictures of {path} below {shown(str(root))}, found none of"
            f" {len(given):,}; the table has such as {first!r:.120}, the folder"
            f" {_example(index)!r:.120}. Name the column by --path-column."
        )


def _example(index: PictureIndex) -> str:
    return shown("/".join(index.pictures[0])) if len(index) else ""
