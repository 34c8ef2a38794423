"""What an annotation format is to clipfg, and the look at a file that tells which one it is."""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.json_stream import entries
from clipfg.data.sources import reason
from clipfg.errors import DataError
from clipfg.registry import Registry
from clipfg.types import Hints

HEAD = 1 << 16
"""Bytes of a file that are looked at."""

ENTRIES = 64
"""Entries of a JSON file that are looked at."""


@dataclass(frozen=True)
class Sample:
    """The beginning of a file, in the ways in which a format can be told by it."""

    path: Path

    @property
    def suffix(self) -> str:
        """The file's suffix in lower case."""
        return self.path.suffix.lower()

    @cached_property
    def head(self) -> str:
        """The first characters, empty for a file that cannot be read or is binary."""
        try:
            with self.path.open("rb") as file:
                data = file.read(HEAD)
        except OSError:
            return ""
        return "" if b"\0" in data else data.decode("utf-8", errors="replace").lstrip("\ufeff")

    @cached_property
    def json(self) -> list[tuple[str | None, Any]]:
        """The first entries of a JSON file (see `json_stream.entries`), none for another file."""
        if self.suffix != ".json" or self.head.lstrip()[:1] not in ("[", "{"):
            return []
        try:
            return list(islice(entries(self.path), ENTRIES))
        except DataError:
            return []

    @cached_property
    def keys(self) -> dict[str, Any]:
        """The first value, or element, under each key of a JSON object."""
        return {key: value for key, value in reversed(self.json) if key is not None}

    @cached_property
    def elements(self) -> list[Any]:
        """The first elements of a JSON list."""
        return [value for key, value in self.json if key is None]

    def element(self) -> dict[str, Any]:
        """The first element of a JSON list where that is an object, else nothing."""
        first = self.elements[0] if self.elements else None
        return first if isinstance(first, dict) else {}

    @cached_property
    def columns(self) -> list[str]:
        """The header of a CSV, or its first row."""
        if self.suffix not in {".csv", ".tsv", ".txt"}:
            return []
        line = next((line for line in self.head.splitlines() if line.strip()), "")
        delimiter = "\t" if self.suffix == ".tsv" else max(",;\t", key=line.count)
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]

    @cached_property
    def line(self) -> str:
        """The first line of JSON lines."""
        if self.suffix not in {".jsonl", ".ndjson", ".manifest"}:
            return ""
        return self.head.partition("\n")[0]

    @cached_property
    def root_tag(self) -> str:
        """The name of an XML file's first element."""
        if self.suffix != ".xml":
            return ""
        match = re.search(r"<([A-Za-z_][\w.-]*)", self.head)
        return match[1] if match else ""


@dataclass(frozen=True)
class Form:
    """One format: how it is told from others, and how it is read."""

    title: str
    """What people call it: "COCO"."""
    accepts: Callable[[Sample], bool]
    """Whether a file is of this format, by its content."""
    read: Callable[..., Annotations]
    """Reads a file, or a folder of files where `each_picture`. Raises `DataError`."""
    each_picture: bool = False
    """Whether each picture has a file of its own."""
    one_a_folder: bool = False
    """Whether the files of a folder are one package, named by any of them."""
    detections: bool = False
    """Whether it says where animals are, rather than what they are: it goes with other labels."""
    columns: bool = False
    """Whether it has columns, so that `read` also takes `hints`."""
    foreign: bool = False
    """Whether it is known and not read."""


FORMS: Registry[Form] = Registry("annotation format", "clipfg.formats")
FORMS.register_all(
    "clipfg.data.readers.formats",
    ("megadetector", "megadetector:MEGADETECTOR", "MegaDetector's boxes, 1.x"),
    ("microsoft", "megadetector:MICROSOFT", "Microsoft's list of detections"),
    ("speciesnet", "speciesnet:FORM", "SpeciesNet's predictions"),
    ("coco", "coco:FORM", "COCO instances and COCO Camera Traps"),
    ("yolo", "yolo:FORM", "YOLO labels and their data.yaml"),
    ("voc", "voc:FORM", "Pascal VOC, an XML file a picture"),
    ("labelme", "labelme:FORM", "LabelMe, a JSON file a picture"),
    ("label-studio", "label_studio:FORM", "Label Studio JSON, JSON-MIN, CSV"),
    ("fiftyone", "fiftyone:FORM", "FiftyOne labels.json"),
    ("camtrap-dp", "camtrap_dp:FORM", "Camtrap DP tables"),
    ("cvat", "cvat:FORM", "CVAT for images, XML"),
    ("create-ml", "create_ml:FORM", "Create ML JSON"),
    ("via", "via:FORM", "VGG Image Annotator, JSON"),
    ("vertex", "cloud:VERTEX", "Vertex AI, JSON lines"),
    ("automl", "cloud:AUTOML", "Vertex AI and AutoML, import CSV"),
    ("sagemaker", "cloud:SAGEMAKER", "SageMaker Ground Truth manifests"),
    ("azure", "cloud:AZURE", "Azure ML, JSON lines"),
    ("labelbox", "labelbox:FORM", "Labelbox JSON lines"),
    ("custom-vision", "custom_vision:FORM", "Azure Custom Vision JSON"),
    ("darwin", "darwin:FORM", "V7 Darwin, a JSON file a picture"),
    ("supervisely", "supervisely:FORM", "Supervisely, a JSON file a picture"),
    ("box-table", "box_table:FORM", "CSV with columns of boxes"),
    ("xmp", "xmp:FORM", "XMP sidecars written by clipfg"),
    ("picture-labels", "picture_labels:FORM", "JSON or YAML of labels"),
    ("picture-list", "picture_list:FORM", "Lines of a picture and its class"),
    ("hub-objects", "hub_objects:FORM", "metadata.jsonl with objects"),
    ("foreign", "foreign:FORM", "Formats that are known and not read"),
)


_ODD = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What code raises on values of another kind than a format has; there are too many to ask for."""


def read(form: Form, path: Path, hints: Hints) -> Annotations:
    """What the file of a form says. Raises `DataError`, `UsageError` for a column it lacks."""
    try:
        return form.read(path, hints=hints) if form.columns else form.read(path)
    except _ODD as error:
        raise DataError(
            f"Expected {form.title} in {path}, got a value of another kind ({reason(error)})."
        ) from error


def recognise(sample: Sample) -> Form | None:
    """The format of a file, or None for a file of no known one."""
    forms = (FORMS.get(name) for name in FORMS)
    return next((form for form in forms if _accepts(form, sample)), None)


def _accepts(form: Form, sample: Sample) -> bool:
    try:
        return form.accepts(sample)
    except _ODD:
        return False
