"""A JSON map from pictures to labels, or a list of objects or pairs of the two."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.box_table import LABELS, PATHS, SPLITS
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.formats.json_stream import entries
from clipfg.data.readers.labels import split_name
from clipfg.data.readers.walk import is_image
from clipfg.errors import DataError
from clipfg.types import Role


def read(path: Path) -> Annotations:
    """A picture and its label, or labels, for each entry."""
    found = Annotations("a JSON file of labels", path)
    found.roles = [Role("keys or path", "path"), Role("values or label", "class")]
    for key, value in entries(path):
        if key is not None:
            given = {"path": key, "label": value}
        elif isinstance(value, Mapping):
            given = {str(name).lower(): cell for name, cell in value.items()}
        elif isinstance(value, list) and len(value) == 2:
            given = {"path": value[0], "label": value[1]}
        else:
            raise DataError(f"Expected a picture and a label in {path}, got {value!r:.60}.")
        name = _cell(given, PATHS)
        if not isinstance(name, str) or not name:
            raise DataError(f"Expected a picture in each entry of {path}, got {value!r:.60}.")
        picture = found.picture(name, split_name(str(_cell(given, SPLITS) or "")))
        labels = _cell(given, LABELS)
        for label in labels if isinstance(labels, list) else [labels]:
            if isinstance(label, Mapping):
                raise DataError(f"Expected a label for {name!r} in {path}, got {label!r:.60}.")
            found.add(picture, None if label is None else str(label))
    return found


def _cell(given: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((given[name] for name in names if name in given), None)


def _is_labels(sample: Sample) -> bool:
    """A list whose entries name pictures, or a map whose keys are pictures' names."""
    if sample.elements:
        first = sample.elements[0]
        if isinstance(first, list):
            return len(first) == 2 and isinstance(first[0], str) and is_image(first[0])
        given = {str(key).lower(): value for key, value in sample.element().items()}
        name, label = _cell(given, PATHS), _cell(given, LABELS)
        marked = isinstance(label, list) and any(isinstance(one, dict) for one in label)
        return isinstance(name, str) and isinstance(label, str | int | list) and not marked
    keys = list(sample.keys)
    return bool(keys) and all(is_image(key) for key in keys)


FORM = Form("a JSON file of labels", _is_labels, read)
