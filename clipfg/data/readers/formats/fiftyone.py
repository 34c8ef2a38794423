"""FiftyOne's labels.json: classes or boxes by the stem of each picture in `data/`.

Boxes are a corner with width and height as shares.
https://docs.voxel51.com/user_guide/export_datasets.html
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.formats.megadetector import four
from clipfg.data.readers.labels import split_name
from clipfg.data.readers.list_files import read_json
from clipfg.errors import DataError
from clipfg.types import Role


def read(path: Path) -> Annotations:
    """The labels of FiftyOneImageClassificationDataset or FiftyOneImageDetectionDataset."""
    found = Annotations("FiftyOne labels", path, BoxFormat("xywh", "relative"))
    content = read_json(path)
    classes = content.get("classes") or []
    found.declare([str(name) for name in classes])
    found.roles = [Role("labels", "class"), Role("classes", "class names")]
    split = split_name(path.parent.name)
    for name, value in content["labels"].items():
        picture = found.picture(name, split)
        for one in value if isinstance(value, list) else [value]:
            given = one if isinstance(one, Mapping) else {"label": one}
            box = given.get("bounding_box")
            label = _name(given.get("label"), classes, path)
            corners = None if box is None else four(box, found)
            found.add(picture, label, corners, float(given.get("confidence") or 1))
    return found


def _name(label: Any, classes: list[Any], path: Path) -> str | None:
    if not isinstance(label, int) or isinstance(label, bool):
        return None if label is None else str(label)
    if not classes:
        return str(label)
    if not 0 <= label < len(classes):
        raise DataError(f"Expected a label from 0 to {len(classes) - 1} in {path}, got {label}.")
    return str(classes[label])


def _is_fiftyone(sample: Sample) -> bool:
    labels = sample.keys.get("labels")
    listed = isinstance(sample.keys.get("classes"), str) or "classes" not in sample.keys
    return isinstance(labels, dict) and listed and len(sample.keys) <= 4


FORM = Form("FiftyOne labels.json", _is_fiftyone, read)
