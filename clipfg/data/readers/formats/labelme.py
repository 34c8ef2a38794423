"""LabelMe: a JSON file a picture, with shapes in pixels, or flags that are labels of the picture.

https://github.com/wkentaro/labelme
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.list_files import read_json
from clipfg.errors import DataError
from clipfg.types import Role


def read(path: Path) -> Annotations:
    """A LabelMe file, or all of a folder; other JSON files there are left out."""
    found = Annotations("LabelMe files", path, BoxFormat("xyxy"))
    found.roles = [Role("shapes", "an item a shape"), Role("flags", "class of the picture")]
    files = [path] if path.is_file() else sorted(path.rglob("*.json"))
    for file in files:
        content = read_json(file)
        if isinstance(content, dict) and "shapes" in content:
            _add(found, content, file)
        else:
            found.leave(file.name, "no LabelMe file")
    return found


def _add(found: Annotations, content: Mapping[str, Any], file: Path) -> None:
    width, height = content.get("imageWidth"), content.get("imageHeight")
    size = (int(width), int(height)) if width and height else None
    picture = found.picture(str(content.get("imagePath") or file.stem), size=size)
    for shape in content["shapes"]:
        found.add(picture, str(shape.get("label", "")), _around(shape, file))
    flags = content.get("flags") or {}
    for name, value in flags.items():
        if value is True:
            found.add(picture, str(name))


def _around(shape: Mapping[str, Any], file: Path) -> tuple[float, float, float, float]:
    """The box around a shape: its corners in any order, or a circle by centre and a point."""
    try:
        points = [(float(x), float(y)) for x, y in shape["points"]]
        if shape.get("shape_type") == "circle":
            (x, y), edge = points[0], points[1]
            radius = math.dist((x, y), edge)
            points = [(x - radius, y - radius), (x + radius, y + radius)]
        columns, lines = zip(*points, strict=True)
    except (KeyError, IndexError, TypeError, ValueError):
        raise DataError(f"Expected points in each shape of {file}, got {shape!r:.80}.") from None
    return min(columns), min(lines), max(columns), max(lines)


def _is_labelme(sample: Sample) -> bool:
    return "imagePath" in sample.keys and ("shapes" in sample.keys or "flags" in sample.keys)


FORM = Form("LabelMe JSON", _is_labelme, read, each_picture=True)
