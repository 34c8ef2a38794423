"""Images that are named outright, or lie below folders that are: no labels, and no classes."""

import os
from collections.abc import Sequence
from pathlib import Path

from clipfg.data.readers.walk import SUFFIXES, Parts, Walk, walk
from clipfg.data.sources import file_uri, misspelt, shown
from clipfg.data.unreadable import without_unreadable
from clipfg.errors import DataError, UsageError
from clipfg.paths import expanded
from clipfg.types import LeftOut, Manifest, Reading


def read_images(paths: Sequence[Path | str]) -> Manifest:
    """Images and folders of them in the order given, without labels, each image once.

    Ids are paths below the folder where one folder is given, else the paths as they were written
    with what is below them. A file that is named outright is taken whatever its suffix.

    Raises `UsageError` for a path that does not exist, `DataError` for a folder without images,
    `MissingError` where all of them need a library that is not installed.
    """
    columns: dict[str, list[str]] = {"id": [], "uri": []}
    known: set[str] = set()
    left_out: list[LeftOut] = []
    for given in map(Path, paths):
        root, found, others = find(expanded(given).absolute())
        left_out += others
        alone = len(paths) == 1 or given.is_file()
        for parts in found:
            uri = file_uri(os.path.normpath(os.path.join(root, *parts)))  # noqa: PTH118
            if uri in known:
                continue
            known.add(uri)
            below = given if given.is_file() else Path(*parts)
            columns["uri"].append(uri)
            columns["id"].append(shown((below if alone else given / below).as_posix()))
    name = absolute(Path(paths[0])).name if len(paths) == 1 else "images"
    reading = Reading("pictures", left_out=tuple(left_out))
    return without_unreadable(Manifest.build(name, columns, reading=reading))


def absolute(path: Path) -> Path:
    """An absolute path without `..`, so that its last part is a name."""
    return Path(os.path.normpath(path.absolute()))


def find(path: Path) -> tuple[Path, list[Parts], list[LeftOut]]:
    """The root that ids are relative to, the images below it, or the one, and what is left out."""
    if not path.exists() and not path.is_symlink():
        raise UsageError(
            f"Expected an image or a folder of them, but there is nothing at"
            f" {shown(str(path))}.{misspelt(path)}"
        )
    if not path.is_dir():
        return path.parent, [(path.name,)], []
    found = walk(path)
    check_some(found)
    return path, found.pictures, found.left_out()


def check_some(found: Walk) -> None:
    """Raises `DataError` or `UsageError` for a walk that found no image."""
    if not found.pictures:
        if found.skipped and found.skipped[0].what == "./":
            where = shown(str(found.root))
            raise DataError(
                f"Expected images in {where}, but it is left out: {found.skipped[0].why}."
            )
        others = sum(map(len, found.others.values()))
        if found.archives:
            archive = shown("/".join(found.archives[0]))
            raise UsageError(
                f"Expected images in {shown(str(found.root))}, found none but archives such as"
                f" {archive}; unpack it first."
            )
        raise DataError(
            f"Expected images in {shown(str(found.root))}, found none"
            f" ({others} other files; suffixes that count: {' '.join(sorted(SUFFIXES))})."
        )
