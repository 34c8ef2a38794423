"""What the readers of official layouts share: items from list files and folders, as a manifest."""

import os
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from clipfg.data.readers.list_files import read_lines
from clipfg.data.readers.walk import is_image
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.errors import DataError, MissingError
from clipfg.types import ClassList, Manifest


class Item(NamedTuple):
    """An image as the official layout lists it; `path` is below the root, with slashes."""

    path: str
    split: str | None
    label: int
    box: Sequence[float] | None = None
    captions: list[str] | None = None


def build(
    card: DatasetCard,
    root: Path,
    items: Sequence[Item],
    classes: ClassList,
    *,
    name: str | None = None,
    expected: int | None = None,
) -> Manifest:
    """A manifest of the items that are on disk; `expected` of them are listed.

    Raises `MissingError` when none of them is on disk.
    """
    # One listing per folder, not a question to the disk per file.
    folders = {posixpath.dirname(item.path) for item in items}
    there = {posixpath.join(f, name) for f in folders for name in names_in(root / f)}
    found = [item for item in items if item.path in there]
    if not found:
        raise MissingError(
            f"Expected the images of {card.title} in {root}, found none. {card.how_to_get}"
        )
    columns: dict[str, list[Any]] = {
        "id": [item.path for item in found],
        "uri": [f"{root}/{item.path}" for item in found],
        "split": [item.split for item in found],
        "label": [item.label for item in found],
    }
    for column in ("box", "captions"):
        values = [getattr(item, column) for item in found]
        if any(value is not None for value in values):
            columns[column] = values
    expected = max(expected or len(items), len(found))
    return Manifest.build(name or card.name, columns, classes, expected, card.prompts)


def build_unlisted(
    card: DatasetCard, root: Path, items: Sequence[Item], classes: ClassList
) -> Manifest:
    """As `build`, for data without list files: each split that occurs is expected whole."""
    splits = {item.split or "" for item in items}
    return build(card, root, items, classes, expected=sum(card.splits.get(s, 0) for s in splits))


def names_in(folder: Path) -> list[str]:
    """What is in a folder; nothing where it does not exist."""
    try:
        return os.listdir(folder)  # noqa: PTH208 - a Path for each of a million files costs seconds
    except (FileNotFoundError, NotADirectoryError):
        return []


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in `folder`, sorted by code point; none where it does not exist."""
    names = [name for name in names_in(folder) if not name.startswith(".")]
    return sorted(name for name in names if (folder / name).is_dir())


def images(root: Path, folder: str) -> list[str]:
    """The images in a folder below the root, as paths below the root, sorted."""
    names = sorted(name for name in names_in(root / folder) if is_image(name))
    return [posixpath.join(folder, name) for name in names]


def in_folders(
    root: Path, places: Mapping[str, str], folders: Sequence[str], *, of: str
) -> list[Item]:
    """The images of data with a folder per split and, in it, a folder per class.

    `places` is the folder of each split below the root; `folders` are those of the classes, in
    label order. Raises `DataError` for another folder; `of` says there what they are ("species").
    """
    items = []
    for split, place in places.items():
        if others := sorted({*subfolders(root / place)} - {*folders}):
            raise DataError(f"Expected folders of {of} in {root / place}, got {others[0]!r}.")
        for label, folder in enumerate(folders):
            paths = images(root, posixpath.join(place, folder))
            items += [Item(path, split, label) for path in paths]
    return items


def in_lists(
    lists: Mapping[str, Path], names: Sequence[str], parse: Callable[[str], tuple[str, str]]
) -> list[Item]:
    """The images of data with a list file per split and, in it, a line per image.

    `names` are what the lists call the classes, in label order; `parse` turns a line into the
    image's path below the root and its class. Raises `DataError` for a line with another class.
    """
    labels = {name: label for label, name in enumerate(names)}
    items = []
    for split, path in lists.items():
        for line in read_lines(path):
            image, name = parse(line)
            if name not in labels:
                raise DataError(
                    f"Expected an image of one of {len(labels)} classes, got {line!r} in {path}."
                )
            items.append(Item(image, split, labels[name]))
    return items


def drawn(
    root: Path, folders: Iterable[str], sizes: Callable[[int], Mapping[str, int | None]]
) -> list[Item]:
    """The images of data with a folder per class and no published split, in splits drawn by hash.

    `folders` are below the root, in label order; `sizes` maps the number of a class's images to
    the sizes that `draw_split` takes.
    """
    items = []
    for label, folder in enumerate(folders):
        paths = images(root, folder)
        splits = draw_split(paths, sizes(len(paths)))
        items += [Item(path, split, label) for path, split in zip(paths, splits, strict=True)]
    return items


def draw_split(paths: Sequence[str], sizes: Mapping[str, int | None]) -> list[str]:
    """A split for each of one class's images, for data that publishes none.

    Images are ordered by the BLAKE2b hash of their paths; the first `sizes` go to the first split
    and so on, and None takes the rest. The same paths get the same splits on every machine.
    """
    order = iter(sorted(paths, key=lambda path: blake2b(os.fsencode(path)).digest()))
    drawn = {path: split for split, size in sizes.items() for path in islice(order, size)}
    return [drawn.get(path, "") for path in paths]
