"""COCO with a score for each annotation; those of whole pictures have no box."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from clipfg.workflows.answer_files.answers import AnswerFormat, Answers, write_json


def write(answers: Answers, path: Path) -> None:
    """Categories in the order of the classes, from 1; images and annotations numbered from 1."""
    numbers = {name: number for number, name in enumerate(answers.classes.names, 1)}
    head = {
        "info": {"description": answers.maker, "date_created": answers.time},
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
    }

    def images() -> Iterator[dict[str, Any]]:
        for number, picture in enumerate(answers, 1):
            width, height = picture.size
            size = {"width": width, "height": height} if width else {}
            yield {"id": number, "file_name": picture.name, **size}

    def annotations() -> Iterator[dict[str, Any]]:
        ids = count(1)
        for number, picture in enumerate(answers, 1):
            for answer in picture.answers:
                row = {"id": next(ids), "image_id": number, "category_id": numbers[answer.names[0]]}
                if answer.box is not None:
                    x0, y0, x1, y1 = (round(side, 2) for side in answer.box)
                    row |= {"bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": 0}  # type: ignore[dict-item]
                yield row | {"score": answer.probabilities[0]}

    write_json(path, head, {"images": images(), "annotations": annotations()})


FORMAT = AnswerFormat("coco.json", write)
