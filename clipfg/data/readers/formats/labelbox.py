"""Labelbox: a line of JSON for each picture, with answers to questions and boxes in pixels.

https://docs.labelbox.com/reference/label-export
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.cloud import read_lines
from clipfg.data.readers.formats.form import Form

Row = Mapping[str, Any]


def read(path: Path) -> Annotations:
    """The answers of all who labelled a picture, each once, and the boxes of the first of them."""

    def add(found: Annotations, row: Row) -> None:
        data, about = row["data_row"], row.get("media_attributes") or {}
        size = (int(about["width"]), int(about["height"])) if about.get("width") else None
        name = data.get("external_id") or data.get("global_key") or data["row_data"]
        picture = found.picture(str(name), size=size)
        for project in (row.get("projects") or {}).values():
            marked = [label.get("annotations") or {} for label in project.get("labels", ())]
            answers = (one for own in marked for one in _answers(own.get("classifications", ())))
            for answer in dict.fromkeys(answers):
                found.add(picture, answer)
            for own in marked[1:]:
                if own.get("objects"):
                    found.leave(str(name), "boxes of who labelled it after another")
            for own in marked[:1]:
                for one in own.get("objects", ()):
                    if box := one.get("bounding_box"):
                        sides = [float(box[side]) for side in ("left", "top", "width", "height")]
                        found.add(picture, str(one["name"]), sides)
                    else:
                        found.leave(str(name), "a shape without a box")

    return read_lines(Annotations("Labelbox JSON lines", path, BoxFormat("xywh")), add)


def _answers(questions: Any) -> Iterator[str]:
    for question in questions:
        one = question.get("radio_answer") or question.get("text_answer")
        for answer in [one] if one else question.get("checklist_answers") or ():
            yield str(answer.get("name") or answer.get("content"))


FORM = Form(
    "Labelbox JSON lines",
    lambda sample: '"data_row"' in sample.line and '"projects"' in sample.line,
    read,
)
