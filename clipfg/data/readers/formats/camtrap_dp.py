"""Camtrap DP: observations, media and deployments as CSV tables of one data package.

Boxes are a corner with width and height as shares. An observation is of one medium, or of an event:
of all media of its deployment between two times. https://camtrap-dp.tdwg.org
"""

import csv
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.sources import reason
from clipfg.errors import DataError
from clipfg.types import Role

BOX = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")

Row = Mapping[str, str]


def read(path: Path) -> Annotations:
    """The animals of a package, named by any of its files; the scientific name is the class."""
    root = path.parent
    found = Annotations("Camtrap DP", root, BoxFormat("xywh", "relative"))
    found.roles = [
        Role("observations.csv column scientificName", "class"),
        Role("media.csv column filePath", "path"),
        Role("observations.csv column bboxX", "an item a box"),
    ]
    pictures: dict[str, int] = {}
    times: dict[str, list[tuple[str, int]]] = {}
    for row in _rows(root / "media.csv"):
        if not row.get("fileMediatype", "image/").startswith("image/"):
            found.leave(row.get("filePath", ""), "no picture")
            continue
        name = row.get("filePath") or row.get("fileName", "")
        number = pictures[row["mediaID"]] = found.picture(name)
        times.setdefault(row.get("deploymentID", ""), []).append((row.get("timestamp", ""), number))
    for one in times.values():
        one.sort()
    for row in _rows(root / "observations.csv"):
        _add(found, row, _media(row, pictures, times))
    return found


def _media(
    row: Row, pictures: Mapping[str, int], times: Mapping[str, list[tuple[str, int]]]
) -> list[int]:
    """The pictures that an observation is of."""
    if medium := row.get("mediaID"):
        return [pictures[medium]] if medium in pictures else []
    start, end = row.get("eventStart", ""), row.get("eventEnd", "")
    if not start or not end:
        return []
    taken = times.get(row.get("deploymentID", ""), [])
    begin, stop = bisect_left(taken, (start, -1)), bisect_right(taken, (end, len(pictures)))
    return [number for _, number in taken[begin:stop]]


def _add(found: Annotations, row: Row, media: list[int]) -> None:
    kind = row.get("observationType", "")
    if kind == "blank":
        return
    what = row.get("observationID") or row.get("mediaID", "")
    if kind != "animal":
        found.leave(what, f"{kind or 'no type'}, no animal")
        return
    if not media:
        found.leave(what, "an observation without pictures")
        return
    cells = [row.get(column, "") for column in BOX]
    try:
        box = [float(cell) for cell in cells] if all(cells) else None
        confidence = float(row.get("classificationProbability") or 1)
    except ValueError:
        raise DataError(f"Expected numbers as {', '.join(BOX)} in {found.source}.") from None
    for picture in media:
        found.add(picture, row.get("scientificName"), box, confidence)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                yield {key: value or "" for key, value in row.items() if isinstance(key, str)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"Expected {path.name} of a Camtrap DP package at {path}, got {reason(error)}."
        ) from None


def _is_camtrap_dp(sample: Sample) -> bool:
    if sample.path.name == "datapackage.json":
        return "camtrap-dp" in str(sample.keys.get("profile", ""))
    columns = set(sample.columns)
    observed = {"observationID", "observationType", "scientificName"} <= columns
    return observed or {"mediaID", "deploymentID", "filePath"} <= columns


FORM = Form("Camtrap DP", _is_camtrap_dp, read, one_a_folder=True)
