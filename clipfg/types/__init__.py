"""The immutable types that all layers share: classes, items, features and failures."""

from collections.abc import Callable
from typing import Protocol

from clipfg.types.choices import Choice, ChoiceSet
from clipfg.types.class_list import UNLABELLED, ClassList
from clipfg.types.dense import Patches, Regions
from clipfg.types.estimate import Estimate
from clipfg.types.features import Features, unit_norm
from clipfg.types.identity import content_hash, equal_rows
from clipfg.types.manifest import BOX, COLUMNS, REGION, REQUIRED, Failure, Manifest, drawn
from clipfg.types.reading import ALONE, IN_A_BAG, TOGETHER, Hints, LeftOut, Reading, Role

Progress = Callable[[int, int], None]
"""Called with the number of items done and the total."""


class StageProgress(Protocol):
    """A `Progress` that can be told more than numbers."""

    def __call__(self, done: int, total: int, note: str = "", /) -> None:
        """Take in the items done, the total, and how they fare."""


__all__ = [
    "ALONE",
    "BOX",
    "COLUMNS",
    "IN_A_BAG",
    "REGION",
    "REQUIRED",
    "TOGETHER",
    "UNLABELLED",
    "Choice",
    "ChoiceSet",
    "ClassList",
    "Estimate",
    "Failure",
    "Features",
    "Hints",
    "LeftOut",
    "Manifest",
    "Patches",
    "Progress",
    "Reading",
    "Regions",
    "Role",
    "StageProgress",
    "content_hash",
    "drawn",
    "equal_rows",
    "unit_norm",
]
