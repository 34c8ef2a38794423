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
from clipfg.data.readers.formats.annotations import Annotations, Meaning
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.formats.json_stream import entries
from clipfg.errors import DataError
from clipfg.types import Role

LEAST = 0.2
"""The confidence of MegaDetector 5 that its authors recommend as a threshold."""

ANIMAL = "animal"
PEOPLE = frozenset({"person", "people", "human", "homo sapiens", "vehicle", "car"})
NOTHING = frozenset({"empty", "blank", "background", "no cv result", "unknown", "unclassified"})
_BETWEEN = "\0"
CATEGORIES = {"1": ANIMAL, "2": "person", "3": "vehicle"}
"""The categories of a file that names none."""


def read(path: Path) -> Annotations:
    """The animals in a file of MegaDetector."""
    found = Annotations("MegaDetector boxes", path, BoxFormat("xywh", "relative"), least=LEAST)
    categories: dict[str, str] = {}
    names: dict[str, str] = {}
    for key, value in entries(path):
        if key == "detection_categories" and isinstance(value, dict):
            categories = value
        elif key == "classification_categories" and isinstance(value, dict):
            names = value
        elif key == "images":
            _add(found, value)
    return _explained(found, categories, names)


def read_list(path: Path) -> Annotations:
    """The animals in a list of Microsoft's."""
    found = Annotations("Microsoft's detections", path, BoxFormat("xyxy"), least=LEAST)
    for _, value in entries(path):
        _add(found, value)
    return _explained(found, {}, {})


def _add(found: Annotations, value: Any) -> None:
    """A picture with its detections, whose categories may be explained at the end of the file."""
    name = value.get("file") if isinstance(value, dict) else None
    if not isinstance(name, str):
        raise DataError(f"Expected a picture with a 'file' in {found.source}, got {value!r:.80}.")
    detections = value.get("detections")
    if value.get("failure") or not isinstance(detections, list):
        found.fail(name, "the detector failed on it")
        return
    picture = found.picture(name, size=size_in(value))
    for one in detections:
        category, best = str(one.get("category", "")), _best(one.get("classifications"))
        confidence = one.get("conf", one.get("confidence", 1.0))
        code = f"{category}{_BETWEEN}{best or ''}"
        found.add(picture, code, four(one.get("bbox"), found), float(confidence or 0))


def _explained(
    found: Annotations, categories: Mapping[str, str], names: Mapping[str, str]
) -> Annotations:
    categories = categories or CATEGORIES

    def meaning(code: str) -> Meaning:
        category, _, best = code.partition(_BETWEEN)
        what = str(categories.get(category, category)).strip()
        answer = str(names.get(best, best)).strip()
        for one in (what, answer):
            if one.lower() in PEOPLE | NOTHING:
                return Meaning(None, f"{one.lower()}, no animal")
        if answer:
            return Meaning(None if answer.lower() == ANIMAL else answer)
        return Meaning(None if what.lower() == ANIMAL or what.isdigit() else what)

    found.translate(meaning)
    found.roles = [Role("bbox", "an item a box"), Role("category", "animals only")]
    if found.classes:
        found.roles.append(Role("classifications", "class"))
    return found


def _best(classifications: Any) -> str | None:
    """The category of the surest of `[[category, confidence], ...]`."""
    pairs = [
        pair for pair in classifications or () if isinstance(pair, list | tuple) and len(pair) > 1
    ]
    return str(max(pairs, key=lambda pair: float(pair[1] or 0))[0]) if pairs else None


def size_in(value: Mapping[str, Any]) -> tuple[int, int] | None:
    """The width and height that an object gives of its picture, where it does."""
    width, height = value.get("width"), value.get("height")
    if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
        return width, height
    return None


def four(box: Any, found: Annotations) -> list[float]:
    """Four numbers. Raises `DataError`."""
    try:
        numbers = [float(value) for value in box]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != 4:
        raise DataError(f"Expected a box of four numbers in {found.source}, got {box!r:.60}.")
    return numbers


def _is_megadetector(sample: Sample) -> bool:
    first = sample.keys.get("images")
    listed = isinstance(first, dict) and "file" in first
    return listed or ("detection_categories" in sample.keys and "annotations" not in sample.keys)


def _is_list(sample: Sample) -> bool:
    return {"file", "detections"} <= sample.element().keys()


MEGADETECTOR = Form("MegaDetector JSON", _is_megadetector, read, detections=True)
MICROSOFT = Form("a list of Microsoft's detections", _is_list, read_list, detections=True)
