"""What the readers of official layouts share: list files, folders, and a manifest from both."""

import json
import os
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from clipfg.data.readers.folder import SUFFIXES
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.errors import DataError, MissingError
from clipfg.types import ClassList, Manifest


class Item(NamedTuple):
    """An image as the list files have it; `path` is below the root, with slashes."""

    path: str
    split: str | None
    label: int
    box: Sequence[float] | None = None


def build(
    card: DatasetCard,
    root: Path,
    items: Sequence[Item],
    classes: ClassList,
    *,
    name: str | None = None,
    expected: int | None = None,
) -> Manifest:
    """A manifest of the items that are on disk; `expected` is how many were listed.

    Raises `MissingError` when none of them is there.
    """
    there = _present(root, {posixpath.dirname(item.path) for item in items})
    found = [item for item in items if item.path in there]
    if not found:
        raise MissingError(f"Expected the images of {card.title} in {root}, found none.")
    columns: dict[str, list[Any]] = {
        "id": [item.path for item in found],
        "uri": [f"{root}/{item.path}" for item in found],
        "split": [item.split for item in found],
        "label": [item.label for item in found],
    }
    if any(item.box is not None for item in found):
        columns["box"] = [item.box for item in found]
    expected = expected or len(items)
    return Manifest.build(
        name or card.name,
        columns,
        classes,
        expected=max(expected, len(found)),
        prompts=card.prompts,
    )


def _present(root: Path, folders: Iterable[str]) -> set[str]:
    """Every file in these folders, as paths below the root: a listing per folder."""
    found: set[str] = set()
    for folder in folders:
        try:
            with os.scandir(root / folder) as entries:
                found.update(posixpath.join(folder, entry.name) for entry in entries)
        except (FileNotFoundError, NotADirectoryError):
            continue
    return found


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in `folder`, sorted as bytes are; none where it is not there."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def images(folder: Path) -> list[str]:
    """The names of the images in `folder`, sorted."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    return sorted(n for n in names if os.path.splitext(n)[1].lower() in SUFFIXES)  # noqa: PTH122


def expected_of(card: DatasetCard, items: Iterable[Item]) -> int:
    """How many images the splits that occur should have: for data with no list of files."""
    return sum(card.splits.get(split or "", 0) for split in {item.split for item in items})


def draw_split(paths: Sequence[str], sizes: Mapping[str, int | None]) -> list[str]:
    """A split for each of one class's images, for data that publishes none.

    Images are ordered by the BLAKE2b hash of their paths, and the first `sizes` go to the first
    split and so on; None takes the rest. The same names always give the same split, on every
    machine.
    """
    order = sorted(range(len(paths)), key=lambda i: blake2b(paths[i].encode()).digest())
    parts = [""] * len(paths)
    begin = 0
    for split, size in sizes.items():
        end = len(paths) if size is None else begin + size
        for position in order[begin:end]:
            parts[position] = split
        begin = end
    return parts


def read_lines(path: Path) -> list[str]:
    """The lines of a list file that are not blank, stripped. Raises `DataError`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"Expected a readable list, got {why}: {path}") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Lines of a key, blank space and the rest. Raises `DataError` for a line without a rest."""
    pairs = []
    for line in read_lines(path):
        parts = line.split(maxsplit=1)
        if len(parts) != 2:
            raise DataError(f"Expected a key and a value, got {line!r:.60} in {path}.")
        pairs.append((parts[0], parts[1]))
    return pairs


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises `DataError`."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return json.load(file)
    except OSError as error:
        raise DataError(f"Expected a readable file, got {error.strerror}: {path}") from None
    except ValueError as error:
        raise DataError(f"Expected JSON in {path}, got {error}.") from None


def read_mat(path: Path, key: str) -> Any:
    """One variable of a MATLAB file as an array of one axis. Raises `DataError`."""
    import numpy as np
    from scipy.io import loadmat  # half a second: only when a data set needs it

    try:
        content = loadmat(str(path), variable_names=[key], squeeze_me=True)
        return np.atleast_1d(content[key])
    except OSError as error:
        raise DataError(
            f"Expected a readable file, got {error.strerror or error}: {path}"
        ) from None
    except Exception as error:  # scipy raises several kinds on a damaged file
        why = str(error) or type(error).__name__
        raise DataError(f"Expected a MATLAB file with {key!r} in {path}, got: {why}") from None


def in_order(names: Mapping[int, str], where: Path) -> list[str]:
    """The names of labels 0, 1, 2 ... Raises `DataError` when one of them has none."""
    missing = [label for label in range(len(names)) if label not in names]
    if missing or not names:
        raise DataError(
            f"Expected classes numbered without gaps in {where}, got {len(names)} numbers up to"
            f" {max(names, default=-1) + 1}."
        )
    return [names[label] for label in range(len(names))]
