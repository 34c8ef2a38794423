"""Supervisely: a JSON file a picture, called `1.jpg.json`, with tags and shapes in pixels.

https://docs.supervisely.com/data-organization/00_ann_format_navi
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.labels import split_name
from clipfg.data.readers.list_files import read_json
from clipfg.data.readers.walk import is_image
from clipfg.types import Role


def read(path: Path) -> Annotations:
    """A file of Supervisely, or all of a folder; other JSON files there are left out."""
    found = Annotations("Supervisely files", path, BoxFormat("xyxy"))
    found.roles = [Role("tags", "class of the picture"), Role("objects", "an item a shape")]
    for file in [path] if path.is_file() else sorted(path.rglob("*.json")):
        content = read_json(file) if is_image(file.stem) else None
        if isinstance(content, dict) and "size" in content:
            _add(found, content, file)
        elif file.name != "meta.json":
            found.leave(file.name, "no file of Supervisely")
    return found


def _add(found: Annotations, content: Mapping[str, Any], file: Path) -> None:
    dataset, size = file.parent.parent, content["size"]  # train/ann/1.jpg.json, train/img/1.jpg
    name = f"{dataset.name}/img/{file.stem}" if (dataset / "img").is_dir() else file.stem
    sides = int(size["width"]), int(size["height"])
    picture = found.picture(name, split_name(dataset.name), sides)
    for tag in content.get("tags", ()):  # `jay`, or `species: jay`
        value = tag.get("value")
        found.add(picture, value if isinstance(value, str) and value else str(tag["name"]))
    for shape in content.get("objects", ()):
        if points := (shape.get("points") or {}).get("exterior"):
            columns, lines = zip(*points, strict=True)
            box = [float(side) for side in (min(columns), min(lines), max(columns), max(lines))]
            found.add(picture, str(shape["classTitle"]), box)
        else:
            found.leave(name, "a shape without a box")


def _is_supervisely(sample: Sample) -> bool:
    size = sample.keys.get("size")
    return (
        is_image(sample.path.stem)
        and isinstance(size, dict)
        and {"width", "height"} <= {*size}
        and ('"objects"' in sample.head or '"tags"' in sample.head)
    )


FORM = Form("Supervisely JSON", _is_supervisely, read, each_picture=True)
