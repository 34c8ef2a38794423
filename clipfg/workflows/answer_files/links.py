"""A folder per class with links to the pictures; unsure ones are in `_unlabeled`."""

import os
import re
from pathlib import Path

from clipfg.errors import UsageError
from clipfg.workflows.answer_files.answers import AnswerFormat, Answers

UNSURE = "_unlabeled"
"""A name that clipfg and others read as no class."""


def write(answers: Answers, folder: Path) -> None:
    """A link for each class of each picture: symbolic, or hard where there are no symbolic ones.

    Raises `UsageError` for pictures inside archives.
    """
    for picture in answers:
        if picture.path is None:
            raise UsageError(
                f"--to links needs pictures that are files, got {picture.uri}; unpack them first."
            )
        name = "__".join(picture.inside.parts)
        for label in dict.fromkeys(one.sure or UNSURE for one in picture.answers):
            place = folder / _folder_name(label) / name
            place.parent.mkdir(parents=True, exist_ok=True)
            _link(picture.path.absolute(), place)


def _folder_name(label: str) -> str:
    """A class's name without what a path may not hold."""
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", label).strip(" .") or "_"


def _link(picture: Path, place: Path) -> None:
    try:
        place.symlink_to(picture)
    except OSError:  # Windows without the right to make symbolic links
        os.link(picture, place)


FORMAT = AnswerFormat("links/", write)
