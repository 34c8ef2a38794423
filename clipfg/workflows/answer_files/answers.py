"""The answers of a run, picture by picture, as the writers of all formats need them."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow.parquet as pq

from clipfg import __version__
from clipfg.data.sources import scheme_of
from clipfg.errors import UsageError
from clipfg.registry import Registry
from clipfg.types import ClassList

SURE = 0.9
"""The probability from which an answer is sure, where no error was asked for by --target-error."""

_BOX = re.compile(r"#-?[\d.,-]+(#\d+)?$")


@dataclass(frozen=True)
class Answer:
    """What a picture, or a box in it, was taken for."""

    id: str
    names: tuple[str, ...]
    """The likeliest classes, best first."""
    probabilities: tuple[float, ...]
    sure: str | None
    """The class, or the group above it, that may be relied on; None where there is none."""
    box: tuple[float, float, float, float] | None = None
    """Corners in pixels of the upright picture."""
    confidence: float = 1.0
    """Of the box, where its source had one."""


@dataclass(frozen=True)
class Picture:
    """A picture and the answers for it: one, or one for each of its boxes."""

    name: str
    """Its path as the data have it, in the manner of `folder/1.jpg`."""
    uri: str
    answers: tuple[Answer, ...]
    size: tuple[int, int] = (0, 0)
    """Width and height upright, where it has boxes."""

    @property
    def path(self) -> Path | None:
        """Where it lies on disk; None inside an archive."""
        return None if scheme_of(self.uri) else Path(self.uri)

    @property
    def inside(self) -> PurePosixPath:
        """Its name as a path that leads nowhere else: no root, no `..`."""
        parts = PurePosixPath(self.name.replace("\\", "/")).parts
        return PurePosixPath(*[part for part in parts if part not in ("/", "..", ".")])

    def shares(self, answer: Answer) -> list[float]:
        """A corner, width and height of an answer's box as shares; the whole without a box."""
        if answer.box is None:
            return [0.0, 0.0, 1.0, 1.0]
        (x0, y0, x1, y1), (width, height) = answer.box, (max(1, side) for side in self.size)
        within = (max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1))
        x0, y0, x1, y1 = within
        found = (x0 / width, y0 / height, (x1 - x0) / width, (y1 - y0) / height)
        return [round(share, 6) for share in found]


@dataclass(frozen=True)
class Answers:
    """The rows of a `predictions.parquet`, read again for each pass, in bounded memory."""

    predictions: Path
    classes: ClassList
    model: str
    confidence: Mapping[str, float] = field(default_factory=dict)
    """How sure the source of the boxes was, by id."""

    def __iter__(self) -> Iterator[Picture]:
        for uri, rows in groupby(self._rows(), key=lambda row: row["uri"]):
            answers = tuple(map(self._answer, rows))
            name, size = answers[0].id, (0, 0)
            if any(one.box for one in answers):
                from clipfg.data.images.headers import picture_sizes

                name = _BOX.sub("", name)
                width, height = picture_sizes([uri]).upright[0].tolist()
                size = width, height
            yield Picture(name, uri, answers, size)

    def _rows(self) -> Iterator[dict[str, Any]]:
        with pq.ParquetFile(self.predictions) as file:
            for batch in file.iter_batches(4096):
                yield from batch.to_pylist()

    def _answer(self, row: dict[str, Any]) -> Answer:
        sure = row["prediction"] if row["probability"] >= SURE else None
        if row.get("unknown"):
            sure = None
        if "answer" in row:
            sure = row["answer"]
        box = tuple(row["box"]) if row.get("box") else None
        return Answer(
            row["id"],
            tuple(row["names"]),
            tuple(round(share, 6) for share in row["probabilities"]),
            sure,
            box,
            round(self.confidence.get(row["id"], 1.0), 6),
        )

    @property
    def maker(self) -> str:
        """Who answered: program, version and encoder."""
        return f"clipfg {__version__} {self.model}"

    @property
    def time(self) -> str:
        """When, as ISO 8601 in UTC."""
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Writer = Callable[[Answers, Path], None]
"""Writes answers to a path: a file, or a folder that exists and is empty."""


@dataclass(frozen=True)
class AnswerFormat:
    """A format of answers: the file or folder that it is written to, and how."""

    file: str
    """Its name in the run folder; a folder's ends with a slash."""
    write: Writer


ANSWER_FORMATS: Registry[AnswerFormat] = Registry("format of answers", "clipfg.answer_formats")
ANSWER_FORMATS.register_all(
    "clipfg.workflows.answer_files",
    ("megadetector", "megadetector:FORMAT", "JSON for Timelapse and EcoAssist"),
    ("coco", "coco:FORMAT", "COCO with a score for each answer"),
    ("label-studio", "label_studio:FORMAT", "tasks to be checked"),
    ("camtrap-dp", "camtrap_dp:FORMAT", "tables of observations"),
    ("xmp", "xmp:FORMAT", "sidecars with keywords, where sure"),
    ("links", "links:FORMAT", "a folder per class with links"),
)


def answer_formats(names: str | None) -> dict[str, AnswerFormat]:
    """The formats of `--to a,b`. Raises `UsageError` for an unknown one."""
    given = [name.strip() for name in (names or "").split(",") if name.strip()]
    if names is not None and not given:
        raise UsageError(f"Expected --to with some of {', '.join(ANSWER_FORMATS)}, got none.")
    return {name: ANSWER_FORMATS.get(name) for name in given}


def write_json(path: Path, head: Mapping[str, Any], lists: Mapping[str, Iterator[Any]]) -> None:
    """An object of `head` and of long lists, an element a line, in the memory of one element."""
    with path.open("w", encoding="utf-8") as file:
        file.write("{\n")
        parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
        file.write(",\n".join(parts))
        for number, (key, elements) in enumerate(lists.items()):
            file.write((",\n" if parts or number else "") + f"{json.dumps(key)}: ")
            write_list(file, elements)
        file.write("\n}\n")


def write_list(file: Any, elements: Iterator[Any]) -> None:
    """A JSON list, an element a line."""
    file.write("[")
    for number, element in enumerate(elements):
        file.write((",\n" if number else "\n") + json.dumps(element, ensure_ascii=False))
    file.write("\n]")
