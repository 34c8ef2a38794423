"""What looks wrong in data of any form, each with the option that settles it."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc

from clipfg.data.readers.file_name_labels import offer
from clipfg.data.readers.folder_words import UNSORTED, is_beside, is_group, is_holder, words
from clipfg.data.readers.labels import plain
from clipfg.types import UNLABELLED, ClassList, Manifest, Reading

NUMBER = re.compile(r"(?:(?:c|cls|class|label|category|id) ?)?\d[\d ]*")
"""A class's name that says nothing of it: `17`, `class_3`."""

CODE = re.compile(r"(?<![n\d])(?!(?:19|20)\d\d(?!\d))\d{4,}|^/[mg]/\w+$")
"""What names of parts, patients and specimens hold, and no year: `SOB_M_14-10926`, `/m/01g317`."""

_REPEATED = re.compile(r"\d{1,3} (?=\D)(.+)")
"""`10_blue jay`, as kohya's trainers want it, in a readable form."""

MANY = 10
"""Classes, most of them with one picture, from which the level of the classes is doubted."""
HIDDEN = 3
"""So many pictures of a split with a label of their own may be without one."""

UNKNOWN = frozenset({"unknown", "unidentified", "undetermined", "indeterminate", "not identified"})
"""What people write where they do not know."""


def with_doubts(manifest: Manifest) -> Manifest:
    """The manifest with what looks wrong in it among the doubts of its reading."""
    found = doubts(manifest)
    if not found:
        return manifest
    reading = manifest.reading or Reading("data")
    return replace(manifest, reading=replace(reading, doubts=(*reading.doubts, *found)))


def doubts(manifest: Manifest) -> list[str]:
    """Sentences on what looks wrong; none for most data."""
    found = []
    if (classes := manifest.classes) is not None:
        found += [*_doubts_on_names(classes), *_doubts_on_counts(manifest, classes)]
        found += _doubts_on_splits(manifest, classes)
    elif offered := offer(manifest.ids):
        found.append(offered)
    pictures = pc.count_distinct(manifest.table["uri"]).as_py()
    if pictures < len(manifest) and not {"box", "bag"} & {*manifest.table.column_names}:
        found.append(
            f"{len(manifest):,} rows name {pictures:,} pictures, so that some count more than"
            " once; keep a row for each."
        )
    return found


def _doubts_on_names(classes: ClassList) -> list[str]:
    found = []
    names = [name for name in classes.names if not classes.texts.get(name)]
    for what, strange in (
        ("numbers", [name for name in names if NUMBER.fullmatch(words(name))]),
        ("codes", [name for name in names if CODE.search(name) and not name.isdecimal()]),
        ("synset ids", [name for name in names if re.fullmatch(r"n\d{8}", name)]),
    ):
        if 2 * len(strange) > len(names) and not all(map(is_group, strange)):
            found.append(
                f"Classes are called by {what} ({_some(strange)}), of which a text encoder knows"
                " nothing; give their names by --classes FILE."
            )
    counted = [match[1] for name in names if (match := _REPEATED.fullmatch(name))]
    if len(names) > 1 and len({*counted}) == len(names):
        found.append(
            f"Classes begin with numbers ({_some(names)}), which are kept; where they are a"
            " trainer's repeats, rename the folders."
        )
    dates = [name for name in names if is_group(name)]
    if 2 * len(dates) > len(names):
        found.append(
            f"Classes are called like years, places or parts ({_some(dates)});"
            " --label-level chooses another folder."
        )
    if unsorted := [name for name in names if words(name) in UNSORTED | UNKNOWN]:
        found.append(
            f"A class is called {unsorted[0]!r}: pictures without a label have a blank one."
        )
    alike = {plain(name): name for name in reversed(names)}
    if again := [n for n in names if alike[plain(n)] != n and len(n) > 2]:
        found.append(
            f"Classes {alike[plain(again[0])]!r} and {again[0]!r} differ in spelling alone; give"
            " them one name if they are one."
        )
    if garbled := [name for name in names if _repaired(name) != name]:
        found.append(
            f"Classes are garbled ({garbled[0]!r} for {_repaired(garbled[0])!r}), as where UTF-8"
            " was saved as if it were Windows Latin; save the file again."
        )
    if folders := [name for name in names if is_holder(name) or is_beside(name)]:
        found.append(
            f"Classes are called like folders ({_some(folders)}); --label-level chooses another"
            " folder."
        )
    return found


def _repaired(name: str) -> str:
    """A name whose letters of UTF-8 were taken for Windows Latin, as it was."""
    try:
        return name.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return name


def _doubts_on_counts(manifest: Manifest, classes: ClassList) -> list[str]:
    labels = manifest.labels
    counts = np.bincount(labels[labels != UNLABELLED], minlength=len(classes))
    used = int((counts > 0).sum())
    if len(classes) == 1:
        return [
            f"There is one class ({classes.names[0]!r}), so that every answer is that one and"
            " chance is 100 %; --classes names more, --label-level chooses another folder,"
            " --label-column another column."
        ]
    if used == 1:
        name = classes.names[int(counts.argmax())]
        return [f"All labelled pictures are of one class ({name!r})."]
    blank = int((labels == UNLABELLED).sum())
    begins = blank > 0 and labels[0] != UNLABELLED == labels[1]
    if begins and 1 < used == len(labels) - blank <= blank:
        return [
            f"Each of the {used:,} pictures with a label is of another class, and {blank:,} have"
            " none, as where cells of a spreadsheet were merged; fill the blank ones."
        ]
    if used >= MANY and 2 * int((counts == 1).sum()) > used:
        return [
            f"Most of the {used:,} classes have one picture; --label-level chooses another folder."
        ]
    return []


def _doubts_on_splits(manifest: Manifest, classes: ClassList) -> list[str]:
    """A held-out split of a single class that no other has, where these have several."""
    held: dict[str, dict[int | None, int]] = {}
    pairs = manifest.table.group_by(["split", "label"]).aggregate([([], "count_all")])
    for pair in pairs.to_pylist():
        if pair["split"] is not None:
            held.setdefault(pair["split"], {})[pair["label"]] = pair["count_all"]
    for split, own in held.items():
        others = {label for other, those in held.items() if other != split for label in those}
        (first, count), *more = own.items()
        alone = not more and first not in others and split != "train"
        if first is not None and alone and count >= HIDDEN and len(others) > 1:
            name = classes.names[first]
            return [
                f"All {count:,} pictures of split {split} are of {name!r}, which no other split"
                " has: labels that are not given are blank."
            ]
    return []


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
