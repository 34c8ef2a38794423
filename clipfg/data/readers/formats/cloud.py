"""What Vertex AI (AutoML), SageMaker and Azure ML write: addresses with labels or boxes.

The pictures are those below the file's folder with the names at the ends of the addresses.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.labels import split_name
from clipfg.data.sources import reason
from clipfg.errors import DataError
from clipfg.types import Role

USES = {"TRAIN", "TRAINING", "VALIDATE", "VALIDATION", "TEST", "UNASSIGNED"}
_ROLES = [Role("the end of an address", "path"), Role("label", "class")]

Row = Mapping[str, Any]


def read_vertex(path: Path) -> Annotations:
    """Vertex AI's JSON lines; boxes are shares."""

    def add(found: Annotations, row: Row) -> None:
        use = row.get("dataItemResourceLabels", {}).get("aiplatform.googleapis.com/ml_use", "")
        picture = found.picture(row["imageGcsUri"], split_name(str(use)))
        marked = row.get("classificationAnnotations") or [row.get("classificationAnnotation")]
        for one in filter(None, marked):
            found.add(picture, one["displayName"])
        for one in row.get("boundingBoxAnnotations", ()):
            box = [float(one[corner]) for corner in ("xMin", "yMin", "xMax", "yMax")]
            found.add(picture, one["displayName"], box)

    return read_lines(Annotations("Vertex AI JSON lines", path, BoxFormat("xyxy", "relative")), add)


def read_sagemaker(path: Path) -> Annotations:
    """A manifest of SageMaker Ground Truth; boxes are a corner with width and height in pixels."""

    def add(found: Annotations, row: Row) -> None:
        job = next((key.removesuffix("-metadata") for key in row if key.endswith("-metadata")), "")
        about, answer = row.get(f"{job}-metadata", {}), row.get(job)
        marked: Row = answer if isinstance(answer, Mapping) else {}
        boxes = marked.get("annotations", ())
        size: Row = next(iter(marked.get("image_size", ())), {})
        sides = (int(size["width"]), int(size["height"])) if "width" in size else None
        picture = found.picture(row["source-ref"], size=sides)
        for one in boxes:
            name = about.get("class-map", {}).get(str(one["class_id"]), str(one["class_id"]))
            box = [float(one[side]) for side in ("left", "top", "width", "height")]
            found.add(picture, name, box)
        if isinstance(about.get("class-name"), str):
            found.add(picture, about["class-name"])

    return read_lines(Annotations("a SageMaker manifest", path, BoxFormat("xywh")), add)


def read_azure(path: Path) -> Annotations:
    """Azure ML's JSON lines; boxes are shares."""

    def add(found: Annotations, row: Row) -> None:
        picture = found.picture(row["image_url"])
        labels = row.get("label")
        for one in labels if isinstance(labels, list) else [labels]:
            if isinstance(one, Mapping):
                box = [float(one[corner]) for corner in ("topX", "topY", "bottomX", "bottomY")]
                found.add(picture, str(one["label"]), box)
            else:
                found.add(picture, None if one is None else str(one))

    return read_lines(Annotations("Azure ML JSON lines", path, BoxFormat("xyxy", "relative")), add)


def read_automl(path: Path) -> Annotations:
    """The import CSV of Vertex AI and AutoML, which has no header; boxes are shares."""
    found = Annotations("Vertex AI import CSV", path, BoxFormat("xyxy", "relative"))
    found.roles = list(_ROLES)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for cells in csv.reader(file):
                if cells:
                    _add_cells(found, [cell.strip() for cell in cells])
    except (OSError, csv.Error, ValueError) as error:
        raise DataError(f"Expected an import CSV at {path}, got {reason(error)}.") from None
    return found


def _add_cells(found: Annotations, cells: list[str]) -> None:
    use = cells.pop(0) if cells[0].upper() in USES else ""
    address, *rest = cells
    picture = found.picture(address, split_name(use))
    if len(rest) >= 8 and rest[1]:  # label, x0, y0, (x1, y0), x1, y1, (x0, y1)
        found.add(picture, rest[0], [float(rest[place]) for place in (1, 2, 5, 6)])
    else:
        for label in filter(None, rest):
            found.add(picture, label)


def read_lines(found: Annotations, add: Callable[[Annotations, Row], None]) -> Annotations:
    """What `add` makes of each line of JSON. Raises `DataError` for a line of another kind."""
    found.roles = list(_ROLES)
    for number, line in enumerate(_lines(found.source), 1):
        try:
            add(found, json.loads(line))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            what = f"{found.form} in line {number} of {found.source}"
            raise DataError(f"Expected {what}, got {reason(error)}.") from None
    return found


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from filter(str.strip, file)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Expected readable JSON lines at {path}, got {reason(error)}.") from None


def _is_automl(sample: Sample) -> bool:
    cells = sample.columns
    return any(cell.startswith("gs://") for cell in cells[:2]) and len(cells) > 1


VERTEX = Form("Vertex AI JSON lines", lambda s: '"imageGcsUri"' in s.line, read_vertex)
AUTOML = Form("Vertex AI import CSV", _is_automl, read_automl)
SAGEMAKER = Form("a SageMaker manifest", lambda s: '"source-ref"' in s.line, read_sagemaker)
AZURE = Form(
    "Azure ML JSON lines", lambda s: '"image_url"' in s.line and '"label"' in s.line, read_azure
)
