"""VGG Image Annotator: a project, or its annotations, as JSON; shapes in pixels.

https://www.robots.ox.ac.uk/~vgg/software/via
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.list_files import read_json
from clipfg.errors import DataError
from clipfg.types import Role

PROJECT = "_via_img_metadata"
NAMES = ("label", "name", "class", "species", "type", "category")
"""What people call the attribute that holds the class; else the first that is filled in."""


def read(path: Path) -> Annotations:
    """The regions of each picture, and its own attributes where it has no regions."""
    found = Annotations("VIA annotations", path, BoxFormat("xyxy"))
    found.roles = [Role("region_attributes", "class"), Role("shape_attributes", "an item a shape")]
    content = read_json(path)
    for one in content.get(PROJECT, content).values():
        if not isinstance(one, Mapping) or "filename" not in one:
            raise DataError(f"Expected pictures of VIA in {path}, got {one!r:.60}.")
        picture = found.picture(str(one["filename"]))
        regions = one.get("regions") or []
        for region in regions.values() if isinstance(regions, Mapping) else regions:
            box = _around(region.get("shape_attributes") or {})
            if box is None:
                found.leave(str(one["filename"]), "a shape without a box")
            else:
                found.add(picture, _class(region.get("region_attributes")), box)
        if label := _class(one.get("file_attributes")):
            found.add(picture, label)
    return found


def _class(attributes: Any) -> str | None:
    """The class among attributes: texts, or options of which one is ticked."""
    if not isinstance(attributes, Mapping):
        return None
    given = {str(key).lower(): value for key, value in attributes.items()}
    values = [given[name] for name in NAMES if name in given] or list(given.values())
    for value in values:
        ticked = [key for key, on in value.items() if on] if isinstance(value, Mapping) else [value]
        if len(ticked) == 1 and isinstance(ticked[0], str) and ticked[0].strip():
            return ticked[0]
    return None


def _around(shape: Mapping[str, Any]) -> list[float] | None:
    """The box around a rectangle, polygon, circle or ellipse."""
    try:
        if "all_points_x" in shape:
            columns, lines = shape["all_points_x"], shape["all_points_y"]
            return [float(v) for v in (min(columns), min(lines), max(columns), max(lines))]
        if "width" in shape:
            x, y = float(shape["x"]), float(shape["y"])
            return [x, y, x + float(shape["width"]), y + float(shape["height"])]
        x, y = float(shape["cx"]), float(shape["cy"])
        across, down = shape.get("rx", shape.get("r")), shape.get("ry", shape.get("r"))
        return [x - float(across), y - float(down), x + float(across), y + float(down)]
    except (KeyError, TypeError, ValueError):
        return None


def _is_via(sample: Sample) -> bool:
    one = next(iter(sample.keys.values()), None)
    listed = isinstance(one, dict) and {"filename", "regions"} <= one.keys()
    return listed or PROJECT in sample.keys


FORM = Form("VIA JSON", _is_via, read)
