"""Labels in the names of pictures: `great_pyrenees_173.jpg`."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import pyarrow as pa

from clipfg.data.readers.folder_words import is_group, is_holder, split_of
from clipfg.data.readers.labels import index_labels, readable_names
from clipfg.errors import UsageError
from clipfg.types import Manifest, Reading, Role

_OFFERED = (
    "^([^0-9].*?)[ _.(-]*[0-9]+[).]+[^.]+$",
    "^[0-9]+[ _.-]+([^0-9]+?)[ _.(-]*[0-9]*[).]+[^.]+$",
)
"""What is offered: a name and a number after it (`cat.12.jpg`), or before it (`12_cat.jpg`).

Without backslashes, which JSON and shells double.
"""

_CAMERA = re.compile(
    r"(?:img|dsc[nf]?|pxl|mvi|gopr|dji|vid|imag|cimg|sam|rimg|screenshot|screen shot|scan|frame"
    r"|whatsapp image|signal|fb img|photo|pic|picture|file|untitled|copy|no name|tile|patch|slice)"
    r"[\W\d_]*",
    re.IGNORECASE,
)
"""What machines call pictures."""
ASKED = 5000
"""Names that are looked at."""


def labelled_by_name(manifest: Manifest, pattern: str) -> Manifest:
    """`manifest` with the group of a regular expression as the class of each picture.

    The expression is searched for in the picture's name without its folders; pictures in whose name
    it is not found have no label. Raises `UsageError` for an expression that cannot be used, and
    where it is found in no name.
    """
    try:
        expression = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(
            f"Expected a regular expression for --label-from-name, got {pattern!r:.80}: {error}."
        ) from None
    if not expression.groups:
        raise UsageError(
            f"Expected a group in --label-from-name, got {pattern!r:.80}; put parentheses around"
            f" the class, as in '(.+)_[0-9]+'."
        )
    matches = [expression.search(_base(identity)) for identity in manifest.ids]
    given = [(match[1] or None) if match else None for match in matches]
    if not any(given):
        raise UsageError(
            f"Expected --label-from-name to be found in the names of {manifest.name}, got"
            f" {pattern!r:.80} and names such as {_base(manifest.ids[0])!r:.80}."
        )
    distinct = sorted({label for label in given if label})
    called = dict(zip(distinct, readable_names(distinct), strict=True))
    names = [called[label] if label else None for label in given]
    labels, classes = index_labels(pa.array(names, pa.string()), None)
    table = manifest.table
    table = table.set_column(table.column_names.index("label"), "label", labels)
    reading = manifest.reading or Reading("pictures")
    reading = replace(reading, roles=(*reading.roles, Role("names of the pictures", "class")))
    if without := given.count(None):
        doubt = f"{without:,} of {len(given):,} pictures have no label by --label-from-name."
        reading = replace(reading, doubts=(*reading.doubts, doubt))
    return replace(manifest, table=table, classes=classes, reading=reading)


def offer(ids: Sequence[str]) -> str:
    """How to take labels from names where these look as if they held them; else nothing.

    Names of one folder are enough: those of a test split have none.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    for identity in ids[:: 1 + len(ids) // ASKED]:
        folders[identity.replace("\\", "/").rpartition("/")[0]].append(_base(identity))
    for names in sorted(folders.values(), key=len, reverse=True):
        for pattern in _OFFERED:
            if _recurs([match[1] if (match := re.search(pattern, n)) else "" for n in names]):
                return (
                    f"Names of pictures such as {names[0]!r:.60} may hold their classes:"
                    f" --label-from-name '{pattern}' takes these."
                )
    return ""


def _recurs(found: Sequence[str]) -> bool:
    """Whether nearly all of what was found in names are words that many of them have."""
    counts = Counter(filter(_may_be_class, found))
    return counts.total() >= 0.9 * len(found) and 2 <= len(counts) <= counts.total() / 2


def _may_be_class(name: str) -> bool:
    machine = _CAMERA.fullmatch(name) or is_holder(name) or split_of(name)
    group = is_group(name) or is_group(f"{name} 1")
    return bool(re.search(r"[^\W\d_]{2}", name)) and not machine and not group


def _base(identity: str) -> str:
    return PurePosixPath(identity.replace("\\", "/")).name
