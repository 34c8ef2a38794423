"""Labels in the names of pictures: `great_pyrenees_173.jpg`."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import pyarrow as pa

from clipfg.data.readers.labels import index_labels, readable_names
from clipfg.errors import UsageError
from clipfg.types import Manifest, Reading, Role

_NUMBERED = r"(.+?)[_ .-]*\d+"
"""What is offered: a name, and a number after it."""


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
            f" the class, as in {_NUMBERED!r}."
        )
    matches = [expression.search(_base(identity)) for identity in manifest.ids]
    given = [match[1] if match else None for match in matches]
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
    """How to take labels from names where these look as if they held them; else nothing."""
    stems = [PurePosixPath(identity).stem for identity in ids[:5000]]
    matches = [re.fullmatch(_NUMBERED, stem) for stem in stems]
    counts = Counter(match[1] for match in matches if match and re.search(r"[^\W\d]", match[1]))
    labelled = sum(counts.values())
    if labelled < 0.9 * len(stems) or not 2 <= len(counts) <= labelled / 2:
        return ""
    return f" Names such as {_base(ids[0])!r:.60} may hold it: --label-from-name '{_NUMBERED}'."


def _base(identity: str) -> str:
    return PurePosixPath(identity.replace("\\", "/")).name
