"""Folders of images: a folder per class, splits above or below that, or images alone.

- `photos/*.jpg`: no labels;
- `photos/sea holly/*.jpg`: the folder is the class;
- `photos/train/sea holly/*.jpg`: the same in a split;
- `photos/Apiaceae/sea holly/*.jpg`: folders above the class are its parents.

What levels mean is decided in `folder_levels`, what the classes are in `folder_classes`.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clipfg.data.readers.code_names import names_of_codes
from clipfg.data.readers.folder_classes import Classes, read_classes
from clipfg.data.readers.folder_left_out import doubts_on_left_out, left_out
from clipfg.data.readers.folder_levels import Levels, at_level
from clipfg.data.readers.folder_tree import FolderTree
from clipfg.data.readers.labels import LabelIndex, readable_names, relabel
from clipfg.data.readers.pictures import absolute, check_some, find
from clipfg.data.readers.walk import Walk, walk, without_masks
from clipfg.data.sources import file_uri, shown
from clipfg.errors import DataError, UsageError
from clipfg.types import ALONE, ClassList, Hints, LeftOut, Manifest, Reading, Role

UNSETTLED = Hints()

MEANINGS = {
    "wrapper": "holds the data",
    "split": "split",
    "group": "group of pictures",
    "domain": "domain",
    "unlabelled": "pictures without a label",
}


def read(
    path: Path,
    *,
    classes: ClassList | None = None,
    hints: Hints = UNSETTLED,
    found: Walk | None = None,
) -> Manifest:
    """The images below a folder, or one image, in natural order.

    Hidden files, folders that clipfg wrote and files without an image's suffix are left out; an
    image that turns out to be broken is listed nevertheless, so that the run can name it. Class
    names come from the folders (`003.Sea_holly` is read as "Sea holly"), from a map of ids beside
    them, or are matched with `classes` where given. `found` is what a walk found there.

    Raises `DataError` for a folder without images, one that holds the same images in several forms,
    and a class outside `classes`; `UsageError` for a level deeper than the folders.
    """
    path = absolute(path)
    if not path.is_dir():
        root, found = path.parent, Walk(path.parent, find(path)[1])
    else:
        root, found = path, found or walk(path)
        check_some(found)
    found, masks = without_masks(found)
    pictures = Counter(parts[:-1] for parts in found.pictures)
    if hints.label_level is None:
        levels = Levels(FolderTree(pictures), _finder(classes))
    else:
        deepest = max(map(len, pictures))
        if hints.label_level > deepest:
            raise UsageError(
                f"Expected --label-level from 0 to {deepest}, as deep as the images in"
                f" {shown(str(path))} lie, got {hints.label_level}."
            )
        levels = Levels(FolderTree({}))
        levels.places = at_level(pictures, hints.label_level)
    beside = _Named(root)
    understood = read_classes(levels.places, beside)
    used = [parts for parts in found.pictures if parts[:-1] in understood.places]
    if not used:
        raise DataError(
            f"Expected images to use in {shown(str(path))}, got none; try --label-level 0."
        )
    columns: dict[str, Any] = {
        "id": [shown("/".join(parts)) for parts in used],
        "uri": [file_uri(os.path.join(root, *parts)) for parts in used],  # noqa: PTH118
        "split": [understood.places[parts[:-1]].split for parts in used],
        "label": [understood.labels.get(parts[:-1]) for parts in used],
    }
    if any(place.domain for place in understood.places.values()):
        columns["domain"] = [understood.places[parts[:-1]].domain for parts in used]
    manifest = Manifest.build(
        path.name,
        columns,
        understood.classes,
        reading=_reading(found, levels, understood, beside.file, masks),
    )
    return relabel(manifest, classes)


def _finder(classes: ClassList | None) -> Callable[[Sequence[str]], bool]:
    """Whether half of some folders or more are called as given classes."""
    lookup = LabelIndex(classes) if classes else None

    def is_class(names: Sequence[str]) -> bool:
        if lookup is None or not names:
            return False
        known = sum(lookup.find(name) is not None for name in readable_names(names))
        return 2 * known >= len(names)

    return is_class


class _Named:
    """Names for folders that are called by ids, from a map beside them; `file` is that map."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = ""

    def __call__(self, codes: Sequence[str]) -> Mapping[str, str]:
        """The names, where a file has all of them."""
        near = [self.root, *_wrappers(self.root), self.root.parent]
        names, self.file = names_of_codes(codes, near)
        return names


def _wrappers(root: Path) -> list[Path]:
    """The folders in a folder, for maps that lie inside a wrapper."""
    try:
        return sorted(path for path in root.iterdir() if path.is_dir())[:10]
    except OSError:
        return []


def _reading(
    found: Walk, levels: Levels, below: Classes, names: str, masks: Sequence[LeftOut]
) -> Reading:
    """How the folder was understood."""
    known = levels.roles
    roles = [Role(_listed(known[key]), text) for key, text in MEANINGS.items() if key in known]
    if below.classes:
        labelled = [below.places[folder].levels for folder in below.labels]
        roles.append(Role(_listed(dict.fromkeys(path[0] for path in labelled)), "class"))
    if levels.alone:
        name, level = levels.alone
        meaning = f"{ALONE}; --label-level {level} makes it one"
        roles.append(Role(f"{shown(name)}/", meaning))
    if below.folded:
        roles.append(Role(_listed(below.folded), "below the class, no class of its own"))
    if names:
        roles.append(Role(names, "class names"))
    return Reading(
        form="a folder per class" if below.classes else "pictures without labels",
        roles=tuple(roles),
        left_out=(*masks, *left_out(found, levels, below), *found.left_out(names)),
        doubts=(*levels.doubts, *below.doubts, *doubts_on_left_out(found, levels, below)),
    )


def _listed(folders: Sequence[str] | Mapping[str, None]) -> str:
    names = [f"{shown(name)}/" for name in folders]
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
