"""MegaDetector's JSON, 1.x, and the list that Microsoft's PytorchWildlife writes.

Boxes are shares of the upright picture, a corner with width and height; Microsoft's are corners in
pixels. Only animals are items: people and vehicles are left out, never named as a species. Classes
come from `classifications`, as Timelapse and EcoAssist write them. `"detections": null` is a
failure of the detector, `[]` a picture without animals.
https://lila.science/megadetector-output-format
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.formats.json_stream import entries
from clipfg.errors import DataError
from clipfg.types import Role

LEAST = 0.2
"""The confidence of MegaDetector 5 that its authors recommend as a threshold."""

ANIMAL = "animal"
PEOPLE = frozenset({"person", "people", "human", "homo sapiens", "vehicle", "car"})
NOTHING = frozenset({"empty", "blank", "background", "no cv result", "unknown", "unclassified"})
CATEGORIES = {"1": ANIMAL, "2": "person", "3": "vehicle"}
"""The categories of a file that names none."""


def read(path: Path) -> Annotations:
    """The animals in a file of MegaDetector."""
    found = Annotations("MegaDetector boxes", path, BoxFormat("xywh", "relative"), least=LEAST)
    categories: dict[str, str] = {}
    names: dict[str, str] = {}
    rows: list[tuple[int, list[Any]]] = []
    for key, value in entries(path):
        if key == "detection_categories" and isinstance(value, dict):
            categories = value
        elif key == "classification_categories" and isinstance(value, dict):
            names = value
        elif key == "images":
            if row := _picture(value, found, path):
                rows.append(row)
    for picture, detections in rows:
        for one in detections:
            _add(found, picture, one, categories or CATEGORIES, names)
    _explain(found)
    return found


def read_list(path: Path) -> Annotations:
    """The animals in a list of Microsoft's."""
    found = Annotations("Microsoft's detections", path, BoxFormat("xyxy"), least=LEAST)
    for _, value in entries(path):
        if row := _picture(value, found, path):
            for one in row[1]:
                _add(found, row[0], one, CATEGORIES, {})
    _explain(found)
    return found


def _picture(
    value: Any, found: Annotations, path: Path
) -> tuple[int, list[Any]] | None:
    """A picture and its detections, without those keys that a million of them need not keep."""
    name = value.get("file") if isinstance(value, dict) else None
    if not isinstance(name, str):
        raise DataError(f"Expected a picture with a 'file' in {path}, got {value!r:.80}.")
    detections = value.get("detections")
    if value.get("failure") or not isinstance(detections, list):
        found.leave(name, "the detector failed on it")
        return None
    size = (value.get("width"), value.get("height"))
    told = all(isinstance(side, int) and side > 0 for side in size)
    return found.picture(name, size=size if told else None), detections  # type: ignore[arg-type]


def _add(
    found: Annotations,
    picture: int,
    one: Mapping[str, Any],
    categories: Mapping[str, str],
    names: Mapping[str, str],
) -> None:
    category = str(one.get("category", ""))
    what = str(categories.get(category, category)).strip().lower()
    if what in PEOPLE or what in NOTHING:
        found.leave(found.names[picture], f"{what}, no animal")
        return
    label = None if what == ANIMAL or what.isdigit() else categories.get(category, category)
    if best := _best(one.get("classifications"), names):
        if best.lower() in PEOPLE:
            found.leave(found.names[picture], f"{best.lower()}, no animal")
            return
        label = None if best.lower() in NOTHING | {ANIMAL} else best
    confidence = one.get("conf", one.get("confidence", 1.0))
    found.add(picture, label, four(one.get("bbox"), found), float(confidence or 0))


def _best(classifications: Any, names: Mapping[str, str]) -> str | None:
    """The class of the surest of `[[category, confidence], ...]`."""
    pairs = [
        pair for pair in classifications or () if isinstance(pair, list | tuple) and len(pair) > 1
    ]
    if not pairs:
        return None
    category = str(max(pairs, key=lambda pair: float(pair[1] or 0))[0])
    return str(names.get(category, category))


def four(box: Any, found: Annotations) -> list[float]:
    """Four numbers. Raises `DataError`."""
    try:
        numbers = [float(value) for value in box]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != 4:
        raise DataError(f"Expected a box of four numbers in {found.source}, got {box!r:.60}.")
    return numbers


def _explain(found: Annotations) -> None:
    found.roles = [Role("bbox", "an item a box"), Role("category", "animals only")]
    if found.classes:
        found.roles.append(Role("classifications", "class"))


def _is_megadetector(sample: Sample) -> bool:
    first = sample.keys.get("images")
    listed = isinstance(first, dict) and "file" in first
    return listed or ("detection_categories" in sample.keys and "annotations" not in sample.keys)


def _is_list(sample: Sample) -> bool:
    return {"file", "detections"} <= sample.element().keys()


MEGADETECTOR = Form("MegaDetector JSON", _is_megadetector, read, detections=True)
MICROSOFT = Form("a list of Microsoft's detections", _is_list, read_list, detections=True)
