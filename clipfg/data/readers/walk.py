"""The pictures below a folder, and what else lies there; a walk never raises."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from clipfg.data.images.photo_kinds import HEIF, RAW
from clipfg.data.readers.labels import Natural, natural
from clipfg.data.sources import shown
from clipfg.types import LeftOut

SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".mpo", ".jp2", ".qoi"),
    *HEIF,
    *RAW,
}
"""What counts as an image, in lower case."""

DEVELOPED = SUFFIXES - RAW

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip", ".7z", ".rar")

MASK = re.compile(
    r"(.+?)[_-](?:masks?|segmentation|seg|trimap|depth|disparity|normals|heatmap)"
    r"(?:[_-]?(?:\d+|map|crop))?\.\w+",
    re.IGNORECASE,
)
"""Pictures that were made from those that they are called after."""

ITSELF = re.compile(r"(.+?)(?:[_-](?:rgb|colou?r|image|img|crop))?", re.IGNORECASE)
"""The name of a picture without what tells it from its mask: `1_rgb` beside `1_depth`."""

BESIDE = frozenset({".aae", ".mov", ".mp4"})
"""What phones put beside a picture of the same name: edits, and the film of a live photo."""

SYSTEM = frozenset({"thumbs.db", "desktop.ini"})

IGNORED = frozenset({"__macosx", "@eadir", "$recycle.bin", "lost+found"})

OWN = {"a run of clipfg": {"config.json", "results.json"}, "a store of clipfg": {"store.json"}}
"""What tells the folders that clipfg writes from data: their charts are no pictures."""

Parts = tuple[str, ...]
"""A path below the root, name by name."""


@dataclass
class Walk:
    """What was found below a folder."""

    root: Path
    pictures: list[Parts] = field(default_factory=list)
    """In natural order."""
    archives: list[Parts] = field(default_factory=list)
    skipped: list[LeftOut] = field(default_factory=list)
    """Folders that were not entered, and RAW pictures beside the same as JPEG."""
    others: dict[str, list[Parts]] = field(default_factory=dict)
    """Files of other kinds, by suffix."""

    def left_out(self, *used: str) -> list[LeftOut]:
        """All that is not used: folders, and an entry for all files of a kind.

        `used` are names of files that are.
        """
        found = list(self.skipped)
        for _, paths in sorted(self.others.items()):
            rest = [path for path in paths if path[-1] not in used]
            if rest:
                first = min(rest, key=lambda path: (len(path), path))
                found.append(LeftOut(shown("/".join(first)), len(rest), "no picture"))
        return found


def is_image(name: str) -> bool:
    """Whether a file counts as an image by its suffix."""
    return _suffix(name) in SUFFIXES


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _stem(name: str) -> str:
    return os.path.splitext(name)[0].casefold()  # noqa: PTH122


def _stems(names: Iterable[str]) -> set[str]:
    """Of the pictures that are no RAW."""
    return {_stem(name) for name in names if _suffix(name) in DEVELOPED}


def _itself(name: str) -> str:
    match = ITSELF.fullmatch(os.path.splitext(name)[0])  # noqa: PTH122
    return match[1] if match else name


def without_masks(found: Walk) -> tuple[Walk, list[LeftOut]]:
    """Without the masks of pictures that lie beside these: `1_mask.png` beside `1.png`."""
    made = {parts: match[1] for parts in found.pictures if (match := MASK.fullmatch(parts[-1]))}
    stems = {(*p[:-1], _itself(p[-1])) for p in found.pictures if p not in made} if made else set()
    masks = {parts for parts, stem in made.items() if (*parts[:-1], stem) in stems}
    if not masks:
        return found, []
    kept = [parts for parts in found.pictures if parts not in masks]
    first = next(parts for parts in found.pictures if parts in masks)
    said = LeftOut(shown("/".join(first)), len(masks), "made from the picture beside it")
    return replace(found, pictures=kept), [said]


def walk(root: Path) -> Walk:
    """Every picture below `root`, outside hidden folders and those that clipfg wrote.

    A link to a folder is followed once, never in a circle. What cannot be entered is left out.
    """
    found = Walk(root)
    visited: set[tuple[int, int]] = set()
    pending: list[Parts] = [()]
    raws: list[Parts] = []
    links: list[Parts] = []  # after all folders, so that a picture is known by its own path
    while pending or links:
        parts = (pending or links).pop()
        here = os.path.join(root, *parts)  # noqa: PTH118 - a Path per file costs seconds
        try:
            mark = os.stat(here)  # noqa: PTH116
            with os.scandir(here) as listing:
                entries = [entry for entry in listing if not entry.name.startswith(".")]
        except OSError as error:
            found.skipped.append(_folder(parts, error.strerror or "cannot be read"))
            continue
        if (mark.st_dev, mark.st_ino) in visited:
            found.skipped.append(_folder(parts, "a link to a folder that is read already"))
            continue
        visited.add((mark.st_dev, mark.st_ino))
        names = {entry.name for entry in entries}
        twins = _stems(names)
        if own := next((what for what, marks in OWN.items() if marks <= names), None):
            found.skipped.append(_folder(parts, own))
            continue
        for entry in entries:
            path = (*parts, entry.name)
            if _is_folder(entry):
                if entry.name.casefold() in IGNORED:
                    found.skipped.append(_folder(path, "the system's own"))
                else:
                    (links if entry.is_symlink() else pending).append(path)
            elif is_image(entry.name):
                raw = _suffix(entry.name) in RAW and _stem(entry.name) in twins
                (raws if raw else found.pictures).append(path)
            elif entry.name.lower().endswith(ARCHIVES):
                found.archives.append(path)
            else:
                kind = _suffix(entry.name)
                if entry.name.lower() in SYSTEM or (kind in BESIDE and _stem(entry.name) in twins):
                    continue
                found.others.setdefault(kind, []).append(path)
        if parts and not entries and is_image(parts[-1]):
            found.pictures.append(parts)  # an empty folder named x.jpg: listed, to be reported
    found.pictures = in_order(found.pictures)
    found.archives = in_order(found.archives)
    found.skipped.sort(key=lambda one: natural(one.what))
    if raws:
        first = shown("/".join(in_order(raws)[0]))
        found.skipped.append(LeftOut(first, len(raws), "RAW beside the same as JPEG"))
    return found


def in_order(paths: Iterable[Parts]) -> list[Parts]:
    """Paths in natural order, name by name."""
    known: dict[Parts, tuple[Natural, ...]] = {(): ()}  # most paths share their folder

    def key(parts: Parts) -> tuple[Natural, ...]:
        above = parts[:-1]
        if above not in known:
            known[above] = tuple(map(natural, above))
        return (*known[above], natural(parts[-1])) if parts else ()

    return sorted(paths, key=key)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or into a locked folder
        return False


def _folder(parts: Parts, why: str) -> LeftOut:
    return LeftOut(shown("/".join(parts) or ".") + "/", 1, why)
