r"""The pictures below a folder by the names that tables have for them.

Tables come from other machines: `images\\1.jpg` from Windows, `/content/drive/birds/1.jpg` from a
notebook, `/data/upload/1/0a1b2c3d-1.jpg` from a labelling server, `1` from a list of ids.
"""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from clipfg.data.readers.codes import identity, is_number
from clipfg.data.readers.folder_words import is_holder, split_of
from clipfg.data.readers.walk import Parts, is_image, walk
from clipfg.data.sources import scheme_of, shown
from clipfg.errors import DataError

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")
"""What a labelling server puts before the name of a picture that is sent to it."""
_SIZES = frozenset({"original", "large", "medium", "small", "square", "thumb", "full", "default"})
"""What addresses call a picture of a number, which is the folder above."""


class PictureIndex:
    """Finds pictures by path, by the end of a path, by name, and by name without suffix."""

    def __init__(self, pictures: Iterable[Parts]) -> None:
        self.pictures = list(pictures)

    @classmethod
    def below(cls, folder: Path) -> Self:
        """All pictures below a folder."""
        return cls(walk(folder).pictures)

    def __len__(self) -> int:
        return len(self.pictures)

    def find_all(self, names: Sequence[str]) -> list[str | None]:
        """The path below the folder of each named picture; None where there is no such picture.

        A picture in another folder than the name says is taken where that folder is only a foreign
        place for the same one: not where other names of the list reach that folder by its own name.
        Raises `DataError` as `find` does.
        """
        found = [self._find(name) for name in names]
        own = {place[:-1] for place, agreed in filter(None, found) if agreed > 1}
        return [
            None
            if one is None or (_elsewhere(name, *one) and one[0][:-1] in own)
            else "/".join(one[0])
            for name, one in zip(names, found, strict=True)
        ]

    def find(self, name: str) -> str | None:
        """The path below the folder of one picture, or None where there is no such picture.

        Raises `DataError` for a name that fits several pictures equally well.
        """
        return self.find_all([name])[0]

    def _find(self, name: str) -> tuple[Parts, int] | None:
        """The picture whose path agrees with `name` for the most names, and for how many."""
        if (place := self._by_path.get(name)) is not None:  # most tables: nothing to search for
            return self.pictures[place], len(self.pictures[place])
        given = _parts(name)
        if not given:
            return None
        candidates = self._called(given[-1])
        if not candidates and len(given) > 1 and _stem(_key(given[-1])) in _SIZES:
            given = given[:-1]  # photos/501/medium.jpg
            candidates = self._called(given[-1])
        if not candidates:
            return None
        scores = [_agreed(given, path) for path in candidates]
        best = max(scores)
        fitting = [path for path, score in zip(candidates, scores, strict=True) if score == best]
        if len(fitting) > 1:  # `1.jpg` is the one beside the table before those in folders
            whole = [path for path in fitting if len(path) == best == len(given)]
            fitting = whole or fitting
        if len(fitting) > 1:
            first, second = ("/".join(path) for path in fitting[:2])
            raise DataError(
                f"Expected one picture called {name!r}, got {len(fitting)}, such as"
                f" {shown(first)} and {shown(second)}; give more of the path."
            )
        return None if _contradicts(name, given, fitting[0], best) else (fitting[0], best)

    def _called(self, base: str) -> list[Parts]:
        """Pictures of a name; else of the stem; else without what a server puts before it."""
        key = _key(base)
        stem = _stem(key)
        number = identity(key) if is_number(key) else ""
        for table, wanted in (
            (self._by_name, key),
            (self._by_stem, key),
            (self._by_stem, stem),
            (self._by_stem, _UPLOAD.sub("", stem, count=1)),
            (self._by_upload, stem),
            (self._by_number, number),
        ):
            if found := table.get(wanted):
                return [self.pictures[place] for place in found]
        return []

    @cached_property
    def _by_path(self) -> dict[str, int]:
        return {"/".join(path): place for place, path in enumerate(self.pictures)}

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        return _grouped(_key(path[-1]) for path in self.pictures)

    @cached_property
    def _by_stem(self) -> dict[str, list[int]]:
        return _grouped(_stem(_key(path[-1])) for path in self.pictures)

    @cached_property
    def _by_upload(self) -> dict[str, list[int]]:
        stems = (_stem(_key(path[-1])) for path in self.pictures)
        return _grouped(_UPLOAD.sub("", stem, count=1) for stem in stems)

    @cached_property
    def _by_number(self) -> dict[str, list[int]]:
        """Spreadsheets make 7 of `0007`, and 7.0."""
        stems = (_stem(_key(path[-1])) for path in self.pictures)
        found = _grouped(identity(stem) if is_number(stem) else "" for stem in stems)
        found.pop("", None)
        return found


def _grouped(keys: Iterable[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        places[key].append(place)
    return places


def _parts(name: str) -> Parts:
    """The names in a path or address of any system: `?d=` is Label Studio's local file."""
    text = name.strip()
    if _foreign(text):
        text = text.partition("?d=")[2] or text.partition("?")[0]
        text = unquote(text)
    text = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]+://?", "", text.replace("\\", "/"))
    return tuple(part for part in text.split("/") if part not in {"", ".", ".."})


def _foreign(name: str) -> bool:
    """Whether a path begins somewhere else than at the table."""
    return name.startswith(("/", "\\", "~")) or bool(_DRIVE.match(name) or scheme_of(name))


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _stem(key: str) -> str:
    return os.path.splitext(key)[0] if is_image(key) else key  # noqa: PTH122


def _agreed(given: Parts, path: Parts) -> int:
    """How many names of two paths agree, from the end; the last ones do."""
    count = 1
    while count < min(len(given), len(path)) and _key(given[-1 - count]) == _key(path[-1 - count]):
        count += 1
    return count


def _contradicts(name: str, given: Parts, path: Parts, agreed: int) -> bool:
    """Whether a picture lies in another folder than the name says: site1/1.jpg for site2/1.jpg."""
    if agreed in {len(given), len(path)}:
        return False
    theirs, ours = given[-1 - agreed], path[-1 - agreed]
    splits = split_of(theirs), split_of(ours)
    if splits[0] and splits[1]:
        return splits[0] != splits[1]
    # Folders that only hold pictures may stand for one another.
    return not (_foreign(name) or is_holder(theirs) or is_holder(ours))


def _elsewhere(name: str, path: Parts, agreed: int) -> bool:
    """Whether name and picture agree in nothing but the last part, and both have a folder."""
    return agreed == 1 and min(len(_parts(name)), len(path)) > 1
