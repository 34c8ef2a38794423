"""YOLO: a text file a picture, found from data.yaml; centre, width and height as shares.

A line is `class x y w h`, with a confidence or key points after it, or `class x1 y1 x2 y2 ...`, a
polygon. A picture's file lies in `labels/` where the picture lies in `images/`, or beside it.
https://docs.ultralytics.com/datasets/detect
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.coco import told_split
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.list_files import read_lines
from clipfg.data.readers.walk import is_image, walk
from clipfg.data.sources import reason
from clipfg.errors import DataError
from clipfg.trees import parse_yaml
from clipfg.types import Role

LARGEST = 1 << 24
"""Bytes of a data.yaml: ten thousand classes have a quarter of a million."""

SAMPLE = 20
"""Pictures of a folder that are asked for a file of labels."""

SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
LISTED = frozenset({"classes.txt", "_darknet.labels"})
"""Files of class names, one a line, where there is no data.yaml; so is Darknet's `obj.names`."""


def read(path: Path) -> Annotations:
    """The boxes of the splits that a data.yaml, or a list of class names, stands for."""
    root = path.parent
    given = {} if _is_listed(path) else _parse(path)
    names = _names(given["names"], path) if given else dict(enumerate(read_lines(path)))
    found = Annotations("YOLO labels", path, BoxFormat("cxcywh", "relative"))
    found.declare(list(names.values()))
    found.roles = [Role(path.name, "class names and splits"), Role("labels", "an item a box")]
    points = bool(given.get("kpt_shape"))
    splits: list[tuple[str | None, Any]] = [
        (split, given[key]) for key, split in SPLITS.items() if given.get(key)
    ]
    for split, places in splits or [(told_split(path), ".")]:
        for place in places if isinstance(places, list) else [places]:
            base = _locate(root, str(given.get("path") or "."), str(place))
            if base is None:
                found.leave(str(place), "no such folder")
                continue
            for picture in _pictures(base):
                _add(found, picture, root, split, names, points)
    return found


def _add(
    found: Annotations,
    picture: Path,
    root: Path,
    split: str | None,
    names: Mapping[int, str],
    points: bool,
) -> None:
    """A picture and its boxes; an empty file of labels says that nothing is in it."""
    name = picture.relative_to(root).as_posix() if picture.is_relative_to(root) else str(picture)
    file = _label_file(picture)
    if file is None:
        found.leave(name, "no file of labels")
        return
    number = found.picture(name, split)
    for line in read_lines(file):
        kind, box, confidence = _parse_line(line, points, file)
        if kind not in names:
            raise DataError(f"Expected class {kind} of {file} among those of {found.source}.")
        found.add(number, names[kind], box, confidence)


def _parse_line(line: str, points: bool, file: Path) -> tuple[int, list[float], float]:
    try:
        kind, *values = (float(value) for value in line.split())
    except ValueError:
        values = []
    if len(values) < 4 or kind != int(kind):
        raise DataError(f"Expected 'class x y width height' in {file}, got {line!r:.60}.")
    if points or len(values) <= 5:
        return int(kind), values[:4], values[4] if len(values) == 5 and not points else 1.0
    columns, lines = values[0 : len(values) // 2 * 2 : 2], values[1::2]
    width, height = max(columns) - min(columns), max(lines) - min(lines)
    return int(kind), [min(columns) + width / 2, min(lines) + height / 2, width, height], 1.0


def _parse(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"Expected a data.yaml of at most {LARGEST >> 20} MiB, got {path}.")
        tree = parse_yaml(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Expected YAML in {path}, got {reason(error)}.") from None
    except DataError as error:
        raise DataError(f"{error} ({path})") from None
    if not isinstance(tree, dict) or not tree.get("names"):
        raise DataError(f"Expected 'names' of the classes in {path}, got none.")
    return tree


def _names(names: Any, path: Path) -> dict[int, str]:
    try:
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        numbered = {int(number): name for number, name in pairs}
        if any(isinstance(name, list | dict) for name in numbered.values()):
            raise TypeError
        return {number: str(numbered[number]) for number in sorted(numbered)}
    except (TypeError, ValueError):
        raise DataError(f"Expected 'names' as a list, or by number, in {path}.") from None


def _locate(root: Path, base: str, place: str) -> Path | None:
    """A folder or list of pictures that data.yaml names, from wherever it was written."""
    parts = [part for part in Path(place).parts if part not in ("..", "/", ".")]
    ends = [Path(*parts[start:]) for start in range(len(parts))] or [Path()]
    for candidate in (root / base / place, root / place, *(root / end for end in ends)):
        inside = candidate.resolve().is_relative_to(root.resolve()) or candidate.is_absolute()
        if inside and candidate.exists():
            return candidate
    return None


def _pictures(place: Path) -> Iterator[Path]:
    if place.is_file():
        for line in read_lines(place):
            yield place.parent / line
    else:
        for parts in walk(place).pictures:
            yield place.joinpath(*parts)


def _label_file(picture: Path) -> Path | None:
    """The file of labels of a picture: `labels` for the last `images`, or beside it."""
    parts = list(picture.parts)
    places = [place for place, part in enumerate(parts[:-1]) if part.lower() == "images"]
    if places:
        parts[places[-1]] = "labels"
    for candidate in (Path(*parts), picture):
        if (file := candidate.with_suffix(".txt")).is_file():
            return file
    return None


def is_data_yaml(sample: Sample) -> bool:
    """Whether a YAML file names classes and where pictures of splits are."""
    if sample.suffix not in {".yaml", ".yml"}:
        return False
    keys = {line.partition(":")[0].strip() for line in sample.head.splitlines() if ":" in line}
    return "names" in keys and bool(keys & SPLITS.keys())


def _is_listed(path: Path) -> bool:
    return path.name.lower() in LISTED or path.suffix.lower() == ".names"


def _is_yolo(sample: Sample) -> bool:
    return is_data_yaml(sample) or (_is_listed(sample.path) and _has_labels(sample.path.parent))


def _has_labels(folder: Path) -> bool:
    """Whether files of labels lie in `labels/`, beside the pictures, or below (Darknet's)."""
    if (folder / "labels").is_dir():
        return True
    places = (folder, folder / "obj_train_data")
    return any(picture.with_suffix(".txt").is_file() for at in places for picture in _some(at))


def _some(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from islice((one for one in folder.iterdir() if is_image(one.name)), SAMPLE)


FORM = Form("YOLO", _is_yolo, read, one_a_folder=True)
