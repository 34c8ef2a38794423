"""What the readers of caption choices share: rows of their files, checked, with their images."""

import json
import math
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from clipfg.data.images.decoding import upright_size
from clipfg.data.readers.list_files import read_lines
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.layouts import names_in
from clipfg.data.sources import scheme_of
from clipfg.errors import DataError, ItemError, MissingError
from clipfg.types import Choice, ChoiceSet, Failure
from clipfg.types.choices import Box

COCO = ("", "images", "coco", "coco/images")
"""Folders, in or beside a data set's own, in which people keep COCO's `val2017`."""
MOST_OUTSIDE = 0.05
"""A box of which more than this share lies outside the image is taken for a mistake, such as
corners read as width and height; annotators' boxes are a pixel or two outside."""


class Row(NamedTuple):
    """A choice as a file states it, unchecked; what the file lacks is None."""

    id: str
    file: Path
    subset: str
    image: Any
    """The image's name, below a folder of images."""
    true: Any
    false: Any
    """A list of texts."""
    box: Any = None
    """`x, y, width, height` in pixels."""
    size: tuple[Any, Any] | None = None
    """Width and height of the image, where the file has them."""
    pair: str = ""


def failure(id: str, file: Path, reason: str) -> Failure:
    """A row that cannot be used."""
    return Failure(id, str(file), "read", reason)


def objects(path: Path, subset: str) -> Iterator[tuple[str, dict[str, Any]] | Failure]:
    """The JSON object in each line of a file, with an id; lines that hold none are failures."""
    for number, line in enumerate(read_lines(path), 1):
        id = f"{subset}/{number}"
        try:
            content = json.loads(line)
        except ValueError as error:
            yield failure(id, path, f"Expected a JSON object in each line, got {error}.")
            continue
        yield id, as_object(content)


def as_object(content: Any) -> dict[str, Any]:
    """A JSON object; empty for anything else, so that it lacks whatever is looked for."""
    return content if isinstance(content, dict) else {}


def build(
    card: DatasetCard, root: Path, rows: Iterable[Row | Failure], folders: Sequence[str]
) -> ChoiceSet:
    """The choices whose image is in one of `folders`, in `root` or beside it.

    Rows that cannot be used become failures. Raises `DataError` when all of them do, and
    `MissingError` when no image is on disk.
    """
    drafts: list[tuple[Row, Choice]] = []
    failures: list[Failure] = []
    for row in rows:
        if isinstance(row, Failure):
            failures.append(row)
            continue
        try:
            drafts.append((row, _choice(row)))
        except ItemError as error:
            failures.append(failure(row.id, row.file, str(error)))
    images = dict.fromkeys(choice.image for _, choice in drafts)
    found = find_images(root, images, folders)
    if images and not found:
        raise MissingError(
            f"Expected the images of {card.title} in {root}, found none. {card.how_to_get}"
        )
    choices: list[Choice] = []
    sizes: dict[str, tuple[int, int] | None] = {}
    for row, choice in drafts:
        if (path := found.get(choice.image)) is None:
            continue
        if row.size is not None and path not in sizes:
            sizes[path] = _size(path)
        if (reason := _resized(path, sizes.get(path), row.size)) is None:
            choices.append(replace(choice, uri=path))
        else:
            failures.append(failure(row.id, row.file, reason))
    if not choices:
        first = f", the first since: {failures[0].reason}" if failures else "."
        raise DataError(f"Expected items of {card.title} in {root}, got none of use{first}")
    missing = sum(image not in found for image in images)
    expected = missing + len({choice.image for choice in choices})
    return ChoiceSet(card.name, tuple(choices), expected, tuple(failures))


def _choice(row: Row) -> Choice:
    """A row as a choice whose image is yet to be found. Raises `ItemError`.

    A text that is listed twice counts once, and one that is also listed as false is true.
    """
    if not isinstance(row.image, str) or not row.image:
        raise ItemError(f"Expected the name of an image, got {row.image!r}.")
    false = row.false if isinstance(row.false, list) else [row.false]
    texts = dict.fromkeys([row.true, *false]) if _are_texts(row.true, *false) else {}
    if not texts:
        raise ItemError(f"Expected a true text and false ones, got {row.true!r} and {false!r:.80}.")
    if len(texts) < 2:
        raise ItemError(f"Expected a false text beside the true one, {row.true!r}, got none.")
    box = None if row.box is None else to_corners(row.box, row.size)
    return Choice(row.id, row.image, "", tuple(texts), row.subset, box, row.pair)


def _are_texts(*values: Any) -> bool:
    return all(isinstance(value, str) and value.strip() for value in values)


def to_corners(box: Any, size: tuple[Any, Any] | None) -> Box:
    """`x, y, width, height` as the corners of what lies in an image of `size`.

    Raises `ItemError` for a box without area or outside the image.
    """
    numbers = [n for n in box if _is_number(n)] if isinstance(box, list) else []
    if len(numbers) != 4 or len(box) != 4:
        raise ItemError(f"Expected a box as four numbers x, y, width, height, got {box!r:.80}.")
    x, y, wide, high = map(float, numbers)
    if wide <= 0 or high <= 0:
        raise ItemError(f"Expected a box x, y, width, height with an area, got {box}.")
    if size is None or not all(_is_number(side) for side in size):
        return _rounded((x, y, x + wide, y + high))
    corners = (max(x, 0.0), max(y, 0.0), min(x + wide, size[0]), min(y + high, size[1]))
    inside = max(corners[2] - corners[0], 0.0) * max(corners[3] - corners[1], 0.0)
    if inside < (1 - MOST_OUTSIDE) * wide * high:
        raise ItemError(
            f"Expected a box x, y, width, height in an image of {size[0]} x {size[1]} pixels, got"
            f" {box}, which lies outside."
        )
    return _rounded(corners)


def _rounded(box: Box) -> Box:
    """Without what adding a width leaves behind the last digit that was published."""
    x0, y0, x1, y1 = (round(float(corner), 3) for corner in box)
    return x0, y0, x1, y1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _resized(
    path: str, found: tuple[int, int] | None, listed: tuple[Any, Any] | None
) -> str | None:
    """Why boxes on an image of the `listed` size are wrong on this one; None where they are not."""
    if listed is None or found is None or found == listed:
        return None
    return (
        f"Expected {path} of {listed[0]} x {listed[1]} pixels, which its boxes are for, got"
        f" {found[0]} x {found[1]}; use the images as they were published."
    )


def _size(path: str) -> tuple[int, int] | None:
    """Width and height by the header; None for a broken image, which fails when it is read."""
    try:
        return upright_size(Path(path))
    except ItemError:
        return None


def find_images(root: Path, names: Iterable[str], folders: Sequence[str]) -> dict[str, str]:
    """The path of each image that is on disk.

    It is looked for in `folders` of `root`, then in those beside `root`, then in `root` itself
    without the folder in its name. An image with a URI of its own, such as one inside a table, is
    there.
    """
    places = [base / folder for base in (root, root.parent) for folder in folders]
    listed: dict[Path, frozenset[str]] = {}

    def is_there(folder: Path, file: str) -> bool:
        if folder not in listed:  # one listing per folder, not a question to the disk per file
            listed[folder] = frozenset(names_in(folder))
        return file in listed[folder]

    found = {}
    for name in names:
        if scheme_of(name):
            found[name] = name
            continue
        parent, file = posixpath.split(name)
        for folder in (*(place / parent for place in places), root):
            if is_there(folder, file):
                found[name] = f"{folder}/{file}"
                break
    return found
