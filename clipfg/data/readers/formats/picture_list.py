"""A text file with a picture and its class in each line: `images/1.jpg Blue Jay`.

Classes may be numbers where a list of names lies beside (`classes.txt`, `names.txt`).
"""

import re
from collections.abc import Iterator
from pathlib import Path

from clipfg.data.readers.codes import is_number
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.coco import told_split
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.label_names import named_beside
from clipfg.data.readers.labels import match_classes
from clipfg.data.readers.text import lines_of, read_text
from clipfg.data.readers.walk import SUFFIXES
from clipfg.errors import DataError
from clipfg.types import ClassList, Role

WORDS = 6
"""Most words of a class: what has more is a caption."""

MOST = 12
"""Lists beside one that are looked at, for the numbers of all classes."""

_ENDS = "|".join(suffix[1:] for suffix in sorted(SUFFIXES, reverse=True))
_BOX = re.compile(r"\s(?:-?\d+\.?\d*\s+){3}-?\d+\.?\d*$")
_BETWEEN = r"\s*(?:[,;:|\t→=]|[-=]>)\s*|\s+(?:[-–] +)?"
_LINE = re.compile(rf"\"?(.+?\.(?:{_ENDS}))\"?(?:{_BETWEEN})\"?(\S.*?)\"?", re.IGNORECASE)


def read(path: Path) -> Annotations:
    """The pictures of a list and their classes."""
    found = Annotations("a list of pictures and classes", path)
    found.roles = [Role("first in each line", "path"), Role("what follows", "class")]
    pairs = list(_pairs(lines_of(read_text(path, "a list of pictures")), path))
    names, file = _names(path, {label for _, label in pairs})
    if file is not None:
        found.roles.append(Role(file.name, "names of the labels"))
    for picture, label in pairs:
        found.add(found.picture(picture, told_split(path)), names.get(label, label))
    return found


def _pairs(lines: list[str], path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise DataError(f"Expected a picture and its class in line {number} of {path}.")
        yield match[1], match[2]


def _names(path: Path, labels: set[str]) -> tuple[dict[str, str], Path | None]:
    """The names of labels that are numbers, and the file beside the list that has them."""
    if not all(map(is_number, labels)):
        return {}, None
    for other in sorted(path.parent.glob(f"*{path.suffix}"))[:MOST]:  # one list a split
        matches = [_LINE.fullmatch(line.strip()) for line in lines_of(read_text(other, "a list"))]
        labels = labels | {match[2] for match in matches if match and is_number(match[2])}
    own = ClassList(tuple(sorted(labels)))
    beside = named_beside(path.parent, own, path)
    if beside is None:
        return {}, None
    file, names = beside
    places = match_classes(own, names, lambda _: str(path))
    return {n: names.names[p] for n, p in zip(own.names, places, strict=True)}, file


def is_list(sample: Sample) -> bool:
    """Whether all lines are a picture and a word or two, or a number that has a name."""
    if sample.suffix not in {".txt", ".lst"}:
        return False
    lines = [line.strip() for line in sample.head.splitlines()[:64] if line.strip()]
    matches = [_LINE.fullmatch(line) for line in lines]
    labels = [match[2] for match in matches if match is not None]
    if not lines or len(labels) < len(lines) or any(len(one.split()) > WORDS for one in labels):
        return False
    if any(_BOX.search(one) for one in labels):
        return False
    if any(re.fullmatch(r"[\d.,\s-]+", one) for one in labels):
        return all(map(is_number, labels)) and _names(sample.path, {*labels})[1] is not None
    return True


FORM = Form("a list of pictures and classes", is_list, read)
