"""Label Studio: tasks as JSON, JSON-MIN or CSV; choices, and rectangles and polygons in per cent.

An upload's name has eight characters and a hyphen before it, and `?d=` names a local file: the
index of pictures sees through both. https://labelstud.io/guide/export
"""

import csv
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.formats.json_stream import entries
from clipfg.data.readers.walk import is_image
from clipfg.data.sources import reason
from clipfg.errors import DataError
from clipfg.types import Role

TASK = frozenset({"id", "annotator", "annotation_id", "lead_time", "created_at", "updated_at"})
"""What exports say of the work, not of the picture."""

PICTURE = ("image", "img", "photo", "picture", "url", "image_url", "captioning", "ocr")
"""The usual names of a task's picture."""


def read(path: Path) -> Annotations:
    """The answers of an export, one annotator's for each task."""
    found = Annotations("Label Studio", path, BoxFormat("xywh", "percent"))
    found.roles = [Role("choices", "class of the picture"), Role("rectangles", "an item a box")]
    disagreeing = guessed = 0
    for task in _rows(path) if path.suffix.lower() == ".csv" else (v for _, v in entries(path)):
        if not isinstance(task, dict):
            raise DataError(f"Expected tasks of Label Studio in {path}, got {task!r:.60}.")
        if "data" not in task:
            _add_short(found, task)
            continue
        answers = _answers(task, "annotations") or _answers(task, "completions")
        if not answers and (answers := _answers(task, "predictions")):
            guessed += 1
        picture = found.picture(_picture(task["data"], path))
        disagreeing += len({json.dumps(_labels(one), sort_keys=True) for one in answers}) > 1
        chosen = next((one for one in answers if one.get("ground_truth")), None)
        for region in (chosen or (answers[0] if answers else {})).get("result", ()):
            _add(found, picture, region)
    if disagreeing:
        found.doubts.append(
            f"The annotators disagree on {disagreeing:,} tasks; the first of each is taken, or the"
            " one marked as ground truth."
        )
    if guessed:
        found.doubts.append(f"The labels of {guessed:,} tasks are predictions, no person's.")
    return found


def _answers(task: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    given = [one for one in task.get(key) or () if isinstance(one, dict)]
    return [one for one in given if not one.get("was_cancelled")]


def _labels(answer: Mapping[str, Any]) -> list[Any]:
    results = [one.get("value", {}) for one in answer.get("result", ())]
    return [value.get("choices", value.get("rectanglelabels")) for value in results]


def _picture(data: Mapping[str, Any], path: Path) -> str:
    """The picture among a task's data: under a usual name, or what looks like one."""
    texts = {key.lower(): value for key, value in data.items() if isinstance(value, str)}
    known = (texts[key] for key in PICTURE if key in texts)
    like = (text for text in texts.values() if is_image(text.partition("&")[0]))
    if (name := next(known, None) or next(like, None)) is None:
        raise DataError(f"Expected a picture in each task of {path}, got {sorted(data)}.")
    return name.rpartition("/")[2] if name.startswith("/data/upload/") else name


def _add(found: Annotations, picture: int, region: Mapping[str, Any]) -> None:
    """One thing that was marked: a choice, a rectangle or a polygon."""
    value = region.get("value")
    if not isinstance(value, dict):
        return
    if "choices" in value:
        for choice in value["choices"]:
            found.add(picture, str(choice))
        return
    labels = next((v for key, v in value.items() if key.endswith("labels") and v), [None])
    size = region.get("original_width"), region.get("original_height")
    if region.get("image_rotation"):
        found.leave(found.names[picture], "marked on a picture turned in Label Studio")
    elif (box := _box(value, size)) is not None:
        for label in labels:
            found.add(picture, label, box)
    elif "x" in value or "rle" in value or "points" in value:
        found.leave(found.names[picture], f"a {region.get('type', 'region')}, no box")


def _box(value: Mapping[str, Any], size: tuple[Any, Any]) -> list[float] | None:
    """x, y, width, height in per cent, around what was drawn; None for what has no box."""
    try:
        if "points" in value:
            points = [(float(x), float(y)) for x, y in value["points"]]
        elif "width" in value:
            points = _turned(value, size)
        else:
            return None
        columns, lines = zip(*points, strict=True)
    except (KeyError, TypeError, ValueError):
        return None
    left, top = min(columns), min(lines)
    return [left, top, max(columns) - left, max(lines) - top]


def _turned(value: Mapping[str, Any], size: tuple[Any, Any]) -> list[tuple[float, float]]:
    """The corners of a rectangle turned about its first one, by the picture's own proportions."""
    x, y, width, height = (float(value[side]) for side in ("x", "y", "width", "height"))
    degrees = float(value.get("rotation") or 0)
    across, down = (float(side or 1) for side in size)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [
        (x + u * cos - v * sin * down / across, y + u * sin * across / down + v * cos)
        for u, v in ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    ]


def _add_short(found: Annotations, row: Mapping[str, Any]) -> None:
    """A row of JSON-MIN or CSV: a column a control, holding a choice or what was drawn."""
    name = _picture(row, found.source)
    picture = found.picture(name)
    for key, value in row.items():
        if key.lower() in TASK or value == name or not value:
            continue
        if isinstance(value, dict) and "choices" in value:
            _add(found, picture, {"value": value})
        elif isinstance(value, list):
            for one in value:
                _add(found, picture, {"value": one, **one} if isinstance(one, dict) else {})
        elif isinstance(value, str) and key.lower() in {"choice", "label", "class", "species"}:
            found.add(picture, value)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a CSV; cells that hold JSON are read as such."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                yield {key: _cell(value) for key, value in row.items() if key and value}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"Expected a CSV of Label Studio at {path}, got {reason(error)}.") from None


def _cell(text: str) -> Any:
    if text[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _is_label_studio(sample: Sample) -> bool:
    first = sample.element()
    if isinstance(first.get("data"), dict):
        return bool({"annotations", "completions", "predictions"} & first.keys())
    short = {"id"} <= first.keys() and bool(
        {"annotator", "annotation_id", "lead_time"} & first.keys()
    )
    return short or {"annotation_id", "annotator", "id"} <= set(sample.columns)


FORM = Form("Label Studio", _is_label_studio, read)
