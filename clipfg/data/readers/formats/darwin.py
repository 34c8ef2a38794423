"""V7 Darwin: a JSON file a picture, with tags and with boxes in pixels.

https://docs.v7labs.com/reference/darwin-json
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.list_files import read_json
from clipfg.types import Role


def read(path: Path) -> Annotations:
    """A file of Darwin, or all of a folder; other JSON files there are left out."""
    found = Annotations("Darwin JSON files", path, BoxFormat("xywh"))
    found.roles = [Role("tags", "class of the picture"), Role("boxes", "an item a box")]
    for file in [path] if path.is_file() else sorted(path.rglob("*.json")):
        content = read_json(file)
        if isinstance(content, dict) and (name := _name(content)):
            _add(found, content, name)
        else:
            found.leave(file.name, "no file of Darwin")
    return found


def _name(content: Mapping[str, Any]) -> str:
    item = content.get("item") or content.get("image") or {}
    return str(item.get("name") or item.get("filename") or "")


def _add(found: Annotations, content: Mapping[str, Any], name: str) -> None:
    picture = found.picture(name)
    for one in content.get("annotations", ()):
        if box := one.get("bounding_box"):
            found.add(picture, str(one["name"]), [float(box[side]) for side in "xywh"])
        elif "tag" in one:
            found.add(picture, str(one["name"]))
        else:
            found.leave(name, "a shape without a box")


def _is_darwin(sample: Sample) -> bool:
    item, image = sample.keys.get("item"), sample.keys.get("image")
    first = sample.keys.get("annotations") or ()
    second = isinstance(item, dict) and "slots" in item
    older = isinstance(image, dict) and "filename" in image
    return second or (older and ("tag" in first or "bounding_box" in first))


FORM = Form("Darwin JSON", _is_darwin, read, each_picture=True)
