"""Folders of images: a folder per class, splits above that or not, or images alone.

- `photos/*.jpg`: no labels;
- `photos/sea holly/*.jpg`: the folder is the class;
- `photos/train/sea holly/*.jpg`: the same in a split;
- `photos/Apiaceae/sea holly/*.jpg`: folders above the class are its parents.
"""

import logging
import os
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from clipfg.data.readers.labels import readable_names, relabel, split_name
from clipfg.data.readers.walk import SUFFIXES, Parts, in_order, walk
from clipfg.data.sources import file_uri, misspelt, shown
from clipfg.errors import DataError, UsageError
from clipfg.types import ClassList, Manifest

_log = logging.getLogger(__name__)


def read(path: Path, *, classes: ClassList | None = None) -> Manifest:
    """The images below a folder, or one image, in natural order.

    Hidden files, run folders and files without an image's suffix are skipped; an image that turns
    out to be broken is listed nevertheless, so that the run can name it. A link to a folder is
    followed once, never in a circle. Class names come from the folders (`003.Sea_holly` is read as
    "Sea holly"), or are matched with `classes` where given.

    Raises `DataError` for a folder without images and a class outside `classes`.
    """
    path = path.absolute()
    root, found = _find(path)
    splits, folders = _take_splits([parts[:-1] for parts in found])
    labels, own = _take_classes(folders, classes)
    columns: dict[str, Any] = {
        "id": [shown("/".join(parts)) for parts in found],
        "uri": [file_uri(os.path.join(root, *parts)) for parts in found],  # noqa: PTH118
        "split": splits,
        "label": labels,
    }
    return relabel(Manifest.build(path.name, columns, own), classes)


def read_images(paths: Sequence[Path | str]) -> Manifest:
    """Images and folders of them in the order given, without labels, each image once.

    Ids are paths below the folder where one folder is given, else the paths as they were written
    with what is below them. A file that is named outright is taken whatever its suffix.

    Raises `UsageError` for a path that does not exist, `DataError` for a folder without images.
    """
    columns: dict[str, list[str]] = {"id": [], "uri": []}
    known: set[str] = set()
    for given in map(Path, paths):
        root, found = _find(given.expanduser().absolute())
        alone = len(paths) == 1 or given.is_file()
        for parts in found:
            uri = file_uri(os.path.normpath(os.path.join(root, *parts)))  # noqa: PTH118
            if uri in known:
                continue
            known.add(uri)
            below = given if given.is_file() else Path(*parts)
            columns["uri"].append(uri)
            columns["id"].append(shown((below if alone else given / below).as_posix()))
    name = Path(paths[0]).absolute().name if len(paths) == 1 else "images"
    return Manifest.build(name, columns)


def _find(path: Path) -> tuple[Path, list[Parts]]:
    """The root that ids are relative to, and the images below it: those of a folder, or one."""
    if not path.exists() and not path.is_symlink():
        raise UsageError(
            f"Expected an image or a folder of them, but there is nothing at"
            f" {shown(str(path))}.{misspelt(path)}"
        )
    if not path.is_dir():
        return path.parent, [(path.name,)]
    found = walk(path)
    others = sum(one.count for one in found.left_out if not one.what.endswith("/"))
    if not found.pictures:
        raise DataError(
            f"Expected images in {shown(str(path))}, found none"
            f" ({others} other files; suffixes that count: {' '.join(sorted(SUFFIXES))})."
        )
    if others:
        what = "file that is not an image" if others == 1 else "files that are not images"
        _log.info("%s: skipped %d %s", path, others, what)
    return path, found.pictures


def _take_splits(folders: list[Parts]) -> tuple[list[str | None], list[Parts]]:
    """Splits where every first folder is named after one, and the folders below it."""
    if all(parts and split_name(parts[0]) for parts in folders):
        return [split_name(parts[0]) for parts in folders], [parts[1:] for parts in folders]
    return [None] * len(folders), folders


def _take_classes(
    folders: list[Parts], given: ClassList | None
) -> tuple[list[int | None], ClassList | None]:
    """A label per item and the classes, or nothing where the folders are not classes."""
    distinct = in_order(set(folders))
    # Images beside folders are unlabelled; so is a single folder, which only wraps them.
    if () in distinct or (len(distinct) == 1 and given is None):
        return [None] * len(folders), None
    names = _class_names(distinct)
    labels = {parts: label for label, parts in enumerate(distinct)}
    return [labels[parts] for parts in folders], ClassList(tuple(names), _taxonomy(distinct, names))


def _class_names(distinct: list[Parts]) -> list[str]:
    """Readable, unique names: of the last folder, or of the whole path where two end alike."""
    last = [parts[-1] for parts in distinct]
    unique = len(set(last)) == len(last)
    names = last if unique else ["/".join(parts) for parts in distinct]
    return [shown(unicodedata.normalize("NFC", name)) for name in readable_names(names)]


def _taxonomy(distinct: list[Parts], names: list[str]) -> dict[str, str]:
    """Folders above a class as its ancestors, where their names are unambiguous."""
    parents: dict[str, str] = {}
    for parts, name in zip(distinct, names, strict=True):
        chain = [name, *(shown(part.replace("_", " ")) for part in reversed(parts[:-1]))]
        for child, parent in pairwise(chain):
            if child == parent or parents.setdefault(child, parent) != parent:
                return {}
    return parents if not set(parents.values()) & set(names) else {}
