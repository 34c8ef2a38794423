"""MegaDetector's JSON with classifications, which Timelapse, EcoAssist and clipfg read.

A picture without boxes has one detection, of all of it.
https://lila.science/megadetector-output-format
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clipfg.workflows.answer_files.answers import AnswerFormat, Answers, write_json


def write(answers: Answers, path: Path) -> None:
    """The pictures with their detections, each with its likeliest classes."""
    numbers = {name: str(number) for number, name in enumerate(answers.classes.names)}
    head = {
        "info": {
            "format_version": "1.4",
            "detector": "unknown",
            "classifier": answers.maker,
            "classification_completion_time": answers.time,
        },
        "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
        "classification_categories": {number: name for name, number in numbers.items()},
    }

    def images() -> Iterator[dict[str, Any]]:
        for picture in answers:
            yield {
                "file": picture.name,
                "detections": [
                    {
                        "category": "1",
                        "conf": answer.confidence,
                        "bbox": picture.shares(answer),
                        "classifications": [
                            [numbers[name], share]
                            for name, share in zip(answer.names, answer.probabilities, strict=True)
                        ],
                    }
                    for answer in picture.answers
                ],
            }

    write_json(path, head, {"images": images()})


FORMAT = AnswerFormat("megadetector.json", write)
