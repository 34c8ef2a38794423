"""Create ML: a list of pictures with boxes around a centre, in pixels.

https://developer.apple.com/documentation/createml/building-an-object-detector-data-source
"""

from pathlib import Path
from typing import Any

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.formats.json_stream import entries
from clipfg.data.readers.formats.megadetector import four
from clipfg.errors import DataError
from clipfg.types import Role


def read(path: Path) -> Annotations:
    """The boxes of a Create ML file."""
    found = Annotations("Create ML boxes", path, BoxFormat("cxcywh"))
    found.roles = [Role("label", "class"), Role("coordinates", "an item a box")]
    for _, value in entries(path):
        name = value.get("image", value.get("imagefilename")) if isinstance(value, dict) else None
        if not isinstance(name, str):
            raise DataError(f"Expected an 'image' in each entry of {path}, got {value!r:.80}.")
        picture = found.picture(name)
        for one in value.get("annotations", value.get("annotation")) or ():
            where = one.get("coordinates") or {}
            box = four([where.get(side) for side in ("x", "y", "width", "height")], found)
            found.add(picture, str(one.get("label", "")), box)
    return found


def _is_create_ml(sample: Sample) -> bool:
    first: dict[str, Any] = sample.element()
    marked = first.get("annotations", first.get("annotation"))
    return isinstance(marked, list) and bool(marked) and "coordinates" in marked[0]


FORM = Form("Create ML JSON", _is_create_ml, read)
