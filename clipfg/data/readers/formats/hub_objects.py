"""The hub's folders of images with objects: `metadata.jsonl` beside the pictures of each split.

A line is `{"file_name": ..., "objects": {"bbox": [[x, y, width, height]], "categories": [...]}}`.
https://huggingface.co/docs/datasets/image_dataset
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.coco import told_split
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.text import lines_of, read_text
from clipfg.errors import DataError
from clipfg.types import Role

LABELS = ("categories", "category", "labels", "label", "class", "classes", "name", "names")


def read(path: Path) -> Annotations:
    """An item a box; a picture without objects is left out."""
    found = Annotations("a hub folder of objects", path, BoxFormat("xywh"))
    found.roles = [Role("file_name", "path"), Role("objects.bbox", "an item a box")]
    split = told_split(path)
    folder = path.parent.name if split else ""
    for number, line in enumerate(lines_of(read_text(path, "objects")), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            objects = row["objects"]
            boxes, labels = objects["bbox"], _labels(objects)
            picture = found.picture(str(row["file_name"]), split, folder=folder)
            for box, label in zip(boxes, labels or [None] * len(boxes), strict=True):
                x, y, width, height = map(float, box)
                found.add(picture, None if label is None else str(label), (x, y, width, height))
        except (KeyError, TypeError, ValueError, RecursionError):
            raise DataError(
                "Expected file_name and objects with as many bbox as categories in line"
                f" {number} of {path}, got {line!r:.80}."
            ) from None
    return found


def _labels(objects: Mapping[str, Any]) -> list[Any]:
    return next((objects[name] for name in LABELS if objects.get(name)), [])


def _is_objects(sample: Sample) -> bool:
    if sample.suffix not in {".jsonl", ".ndjson"} or '"objects"' not in sample.line:
        return False
    row = json.loads(sample.line)
    return "file_name" in row and isinstance(row["objects"], dict) and "bbox" in row["objects"]


FORM = Form("a hub folder of objects", _is_objects, read)
