"""Tasks of Label Studio with clipfg's answers as predictions, for a person to check.

They need a labelling configuration with `<Image name="image" value="$image"/>` and `<Choices
name="choice" toName="image">`, for boxes `<RectangleLabels name="label" toName="image">`; pictures
are found in local storage. https://labelstud.io/guide/predictions
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clipfg.workflows.answer_files.answers import (
    Answer,
    AnswerFormat,
    Answers,
    Picture,
    write_list,
)


def write(answers: Answers, path: Path) -> None:
    """A task a picture; its score is that of its least sure answer."""

    def tasks() -> Iterator[dict[str, Any]]:
        for picture in answers:
            prediction = {
                "model_version": answers.maker,
                "score": min(one.probabilities[0] for one in picture.answers),
                "result": [_result(picture, one) for one in picture.answers],
            }
            address = f"/data/local-files/?d={picture.inside}"
            yield {"data": {"image": address}, "predictions": [prediction]}

    with path.open("w", encoding="utf-8") as file:
        write_list(file, tasks())


def _result(picture: Picture, answer: Answer) -> dict[str, Any]:
    name = answer.names[0]
    if answer.box is None:
        about = {"from_name": "choice", "to_name": "image", "type": "choices"}
        return about | {"value": {"choices": [name]}}
    sides = [round(100 * share, 4) for share in picture.shares(answer)]
    width, height = picture.size
    return {
        "from_name": "label",
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "score": answer.probabilities[0],
        "value": dict(zip(("x", "y", "width", "height"), sides, strict=True))
        | {"rotation": 0, "rectanglelabels": [name]},
    }


FORMAT = AnswerFormat("label-studio.json", write)
