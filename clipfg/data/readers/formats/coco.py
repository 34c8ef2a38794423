"""COCO: instances with boxes, captions, and Camera Traps, whose labels may be the picture's.

Boxes are a corner with width and height in pixels. The category "empty" is no class, nor is one
that only stands above others, as Roboflow writes it. https://cocodataset.org/#format-data
"""

import math
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.folder_words import split_of
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.formats.json_stream import entries
from clipfg.data.readers.formats.megadetector import NOTHING, size_in
from clipfg.data.readers.labels import split_name
from clipfg.errors import DataError
from clipfg.types import Role

NONE = float("nan")


def read(path: Path) -> Annotations:
    """The annotations of a COCO file. Its name, or its folder's, tells the split."""
    found = Annotations("COCO instances", path, BoxFormat("xywh"))
    split, folder = _place(path)
    categories: dict[Any, dict[str, Any]] = {}
    pictures: dict[Any, int] = {}
    of, what, boxes = list[Any](), list[Any](), array("d")
    captions: list[tuple[Any, str]] = []
    for key, value in entries(path):
        if key == "images":
            name = value.get("file_name")
            if not isinstance(name, str):
                raise DataError(f"Expected a 'file_name' in each image of {path}: {value!r:.80}.")
            own = split_name(str(value.get("split", ""))) or split
            pictures[value.get("id", value.get("image_id"))] = found.picture(
                name, own, size_in(value), folder
            )
        elif key == "categories":
            categories[value.get("id", value.get("category_id"))] = value
        elif (
            key == "annotations"
            and isinstance(value.get("caption"), str)
            and "category_id" not in value
        ):
            captions.append((value.get("image_id"), value["caption"]))
        elif key == "annotations":
            if value.get("iscrowd"):
                found.leave(f"annotation {value.get('id')}", "a crowd")
                continue
            of.append(value.get("image_id"))
            what.append(value.get("category_id"))
            box = value.get("bbox") or _around(value.get("segmentation"))
            boxes.extend(box if len(box) == 4 else (NONE,) * 4)
    names = _classes(categories, set(what))
    found.declare([name for name in names.values() if name])
    for row, (image, category) in enumerate(zip(of, what, strict=True)):
        if image not in pictures or category not in names:
            unknown = f"image_id {image}" if image not in pictures else f"category_id {category}"
            raise DataError(f"Expected {unknown} of an annotation to be listed in {path}.")
        if not (name := names[category]):
            continue  # an empty picture: it stays without rows, and is counted as such
        box = boxes[4 * row : 4 * row + 4]
        found.add(pictures[image], name, None if all(map(math.isnan, box)) else box)
    for image, caption in captions:
        if image not in pictures:
            raise DataError(f"Expected image_id {image} of a caption to be listed in {path}.")
        if pictures[image] not in found.captions:
            found.add(pictures[image])
        found.describe(pictures[image], caption)
    if what:
        found.roles = [Role("category_id", "class"), Role("bbox", "an item a box")]
    if captions:
        found.roles.append(Role("caption", "captions"))
    if split:
        found.roles.append(Role(path.name, f"split {split}"))
    return found


NAMES = ("name", "scientificName", "scientific_name", "common_name", "label")
"""What the name of a category is called, the usual first; Herbarium's are Darwin Core's."""


def _around(polygons: Any) -> Sequence[float]:
    """The box around polygons `[[x, y, x, y, ...], ...]`; nothing for what is none."""
    try:
        points = [float(value) for polygon in polygons for value in polygon]
        left, top = min(points[::2]), min(points[1::2])
    except (TypeError, ValueError):
        return ()
    return left, top, max(points[::2]) - left, max(points[1::2]) - top


def _classes(categories: dict[Any, dict[str, Any]], used: set[Any]) -> dict[Any, str]:
    """The name of each category, by number; blank for one that is no class."""
    above = {str(one.get("supercategory")) for key, one in categories.items() if key in used}
    names = {}
    for key in sorted(categories, key=lambda key: (str(type(key)), key)):
        name = str(next((categories[key][n] for n in NAMES if n in categories[key]), "")).strip()
        holder = key not in used and name in above
        names[key] = "" if holder or name.lower() in NOTHING else name
    return names


def _place(path: Path) -> tuple[str | None, str]:
    """The split that a file is of, and the folder in which its pictures are, where they tell."""
    folder = path.stem.removeprefix("instances_")
    root = path.parent.parent if path.parent.name.lower() in ANNOTATIONS else path.parent
    places = (folder, f"images/{folder}")
    return told_split(path), next((one for one in places if (root / one).is_dir()), "")


def told_split(file: Path) -> str | None:
    """The split that an annotation file's name, or its folder's, tells: `instances_train2017`."""
    if found := split_of(file.stem):
        return found[0]
    above = split_of(file.parent.name)
    return above[0] if above and not above[1] else None


ANNOTATIONS = frozenset({"annotations", "annotation", "anno", "annos", "ann", "labels", "json"})
"""Folders that hold annotation files, beside those with the pictures."""


def _is_coco(sample: Sample) -> bool:
    keys = sample.keys
    image, annotation = keys.get("images"), keys.get("annotations")
    category = keys.get("categories")
    if isinstance(annotation, dict):
        # FG-OVD and the like have a category, and a list of captions beside it.
        keyed = annotation.keys()
        return {"image_id", "category_id"} <= keyed or {"image_id", "id", "caption"} <= keyed
    if isinstance(category, dict) and {"id", "name"} <= category.keys():
        return annotation is None
    return isinstance(image, dict) and {"id", "file_name"} <= image.keys() and annotation is None


FORM = Form("COCO JSON", _is_coco, read)
