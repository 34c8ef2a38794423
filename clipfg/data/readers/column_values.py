"""What the values of a column look like."""

import re
from collections.abc import Mapping, Sequence

from clipfg.data.readers.codes import are_codes
from clipfg.data.readers.folder_words import SETS
from clipfg.data.readers.labels import split_name
from clipfg.data.readers.walk import is_image
from clipfg.data.sources import scheme_of

Sample = Mapping[str, Sequence[str]]
"""Some values of each column."""

ONE = frozenset({"1", "1.0", "true", "yes", "y", "x", "\u2713", "\u2714"})
"""What a column of a class has where a picture is of it."""
BINARY = {"0", "0.0", "false", "no", "n", "", *ONE}
"""What a column of yes and no holds."""
_ID = re.compile(r"[\w.-]{2,}")


def are_splits(values: Sequence[str]) -> bool:
    """Whether all values name splits, and one of them a usual one."""
    given = {value for value in values if value and value.lower() != "unassigned"}
    named = {value for value in given if split_name(value)}
    return bool(named) and all(value.lower() in SETS for value in given - named)


def are_ids(values: Sequence[str]) -> bool:
    """Whether each row has a word of its own, which may be a picture's name without suffix."""
    return bool(values) and len({*values}) == len(values) and all(map(_ID.fullmatch, values))


def are_words(values: Sequence[str]) -> bool:
    """Whether values are neither codes nor pictures."""
    given = [value for value in values if value]
    return bool(given) and not are_codes(given) and not any(map(is_picture, given))


def is_picture(value: str) -> bool:
    """Whether a value is called as a picture, or lies in a store of them."""
    return is_image(value.strip()) or scheme_of(value) in {"gs", "s3"}
