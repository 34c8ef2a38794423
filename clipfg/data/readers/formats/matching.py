"""The pictures that annotations name, found among those on disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.picture_index import PictureIndex
from clipfg.data.readers.walk import Parts, Walk
from clipfg.data.sources import file_uri, scheme_of
from clipfg.errors import DataError

if TYPE_CHECKING:
    from jaxtyping import Int


@dataclass(frozen=True)
class Found:
    """The pictures that annotations name, as they are on disk."""

    ids: list[str]
    """The path of each below the root, empty where there is no such picture."""
    uris: list[str]

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which pictures are on disk `[p]`."""
        return np.array([bool(one) for one in self.ids], bool)

    @property
    def first(self) -> Int[np.ndarray, " p"]:
        """The number of the first annotated picture that is the same one on disk."""
        known: dict[str, int] = {}
        pairs = enumerate(self.uris)
        return np.array([known.setdefault(uri or str(k), k) for k, uri in pairs], np.int64)


def find_pictures(annotations: Annotations, found: Walk) -> Found:
    """The pictures that lie below a folder; those that are not annotated are counted.

    Raises `DataError` as `match_pictures`.
    """
    ids = match_pictures(annotations, found.pictures, found.root)
    used, base = set(ids), str(found.root)
    for one in map("/".join, found.pictures):
        if one not in used:
            annotations.leave(one, "a picture that is not annotated")
    uris = [file_uri(os.path.join(base, one)) if one else "" for one in ids]  # noqa: PTH118
    return Found(ids, uris)


def match_pictures(annotations: Annotations, pictures: Sequence[Parts], where: Path) -> list[str]:
    """The path of each annotated picture among `pictures`, empty where it is not there.

    Raises `DataError` where none of them is there, and for an ambiguous name.
    """
    pairs = zip(annotations.folders, annotations.names, strict=True)
    names = [f"{folder}/{name}" if folder else name for folder, name in pairs]
    paths = [one or "" for one in PictureIndex(pictures).find_all(names)]
    if names and not any(paths):
        advice = "put the file beside its pictures, or name the pictures as the data and the file"
        advice += " as --boxes"
        if scheme_of(names[0]):
            advice = "they are addresses in a store: download them to that folder first"
        there = f"{len(pictures):,} others, such as {'/'.join(pictures[0])}" if pictures else "none"
        raise DataError(
            f"Expected the pictures of {annotations.source} below {where}, such as"
            f" {annotations.names[0]!r}, got {there}; {advice}."
        )
    return paths
