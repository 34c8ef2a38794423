"""Observations and media of Camtrap DP 1.0; deployments are the user's own.

A deployment is the folder of a picture. https://camtrap-dp.tdwg.org/data
"""

import csv
from pathlib import Path

from clipfg.workflows.answer_files.answers import AnswerFormat, Answers

MEDIA = ("mediaID", "deploymentID", "filePath", "filePublic", "fileName", "fileMediatype")
OBSERVATIONS = (
    *("observationID", "deploymentID", "mediaID", "observationLevel", "observationType"),
    *("scientificName", "bboxX", "bboxY", "bboxWidth", "bboxHeight", "classificationMethod"),
    *("classifiedBy", "classificationTimestamp", "classificationProbability"),
)
TYPES = {".png": "image/png", ".tif": "image/tiff", ".tiff": "image/tiff", ".webp": "image/webp"}


def write(answers: Answers, folder: Path) -> None:
    """`media.csv` and `observations.csv`."""
    with (
        (folder / "media.csv").open("w", encoding="utf-8", newline="") as media_file,
        (folder / "observations.csv").open("w", encoding="utf-8", newline="") as observation_file,
    ):
        media = csv.writer(media_file, lineterminator="\n")
        observations = csv.writer(observation_file, lineterminator="\n")
        media.writerow(MEDIA)
        observations.writerow(OBSERVATIONS)
        made, time = answers.maker, answers.time
        for picture in answers:
            path = picture.inside
            where, kind = path.parent.as_posix(), TYPES.get(path.suffix.lower(), "image/jpeg")
            media.writerow([path, where, path, "false", path.name, kind])
            for answer in picture.answers:
                box = [""] * 4 if answer.box is None else picture.shares(answer)
                about = (answer.id, where, path, "media", "animal", answer.names[0])
                how = ("machine", made, time, answer.probabilities[0])
                observations.writerow((*about, *box, *how))


FORMAT = AnswerFormat("camtrap-dp/", write)
