"""The nouns that every layer speaks: classes, items, features and failures. All are immutable."""

from collections.abc import Callable

from clipfg.types.class_list import UNLABELLED, ClassList
from clipfg.types.estimate import Estimate
from clipfg.types.features import Features, unit_norm
from clipfg.types.manifest import BOX, COLUMNS, REGION, REQUIRED, Failure, Manifest

Progress = Callable[[int, int], None]
"""Called with the number of items done and the number of all."""

__all__ = [
    "BOX",
    "COLUMNS",
    "REGION",
    "REQUIRED",
    "UNLABELLED",
    "ClassList",
    "Estimate",
    "Failure",
    "Features",
    "Manifest",
    "Progress",
    "unit_norm",
]
