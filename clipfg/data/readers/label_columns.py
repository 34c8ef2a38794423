"""Which columns of a table name its classes."""

from collections.abc import Mapping, Sequence

from clipfg.data.readers import column_names as names
from clipfg.data.readers.codes import are_codes
from clipfg.data.readers.column_names import key_of
from clipfg.data.readers.column_values import Sample, are_words
from clipfg.types import Hints

_MEDIA = {"stillimage", "image", "photo", "photograph", "image/jpeg", "image/png"}
"""What a column `type` says of pictures as such."""


def label_columns(
    at: Mapping[str, str],
    columns: Sequence[str],
    sample: Sample,
    hints: Hints,
    taken: set[str | None],
) -> tuple[str, ...]:
    """The columns that may name the classes, the likeliest first, among those not `taken`.

    `at` is from the keys of columns to their names.
    """
    wanted = [key_of(hints.label_column)] if hints.label_column is not None else []
    keys = [*wanted, *names.LABELS, *names.COMMON, *names.SCIENTIFIC]
    keys += [key for key in at if names.SYNONYM.fullmatch(key)]
    if "genus" in at and not any(key in at for key in keys):
        keys += names.EPITHETS
    if "path" not in taken and not any(key in at for key in keys):
        keys += ["name", "text"]
    if "x" in at:
        keys = [key for key in keys if key != "y"]  # a place in the picture
    media = {c for c in columns if {v.lower() for v in sample[c] if v} <= _MEDIA and any(sample[c])}
    free = {c for c in columns if c not in {*taken, *media} or key_of(c) in wanted}
    found = [at[key] for key in dict.fromkeys(keys) if key in at and at[key] in free]
    if found and are_codes(sample[found[0]]):
        # What numbers and codes stand for is often in the next column, or the one before.
        place = columns.index(found[0])
        beside = [*columns[place + 1 : place + 2], *columns[max(0, place - 1) : place]]
        beside = [c for c in beside if c in free and c not in found and are_words(sample[c])]
        found[1:1] = beside
        if "name" in at and at["name"] in free:
            found.append(at["name"])
    return tuple(dict.fromkeys(found))
