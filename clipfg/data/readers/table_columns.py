"""From the columns of a table to what each is for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clipfg.data.readers import column_names as names
from clipfg.data.readers.codes import are_codes
from clipfg.data.readers.column_names import first_of, key_of
from clipfg.data.readers.folder_words import SETS
from clipfg.data.readers.labels import split_name
from clipfg.data.readers.walk import is_image
from clipfg.data.sources import scheme_of
from clipfg.errors import DataError, UsageError
from clipfg.registry import closest
from clipfg.types import Hints

CORNERS = ("x0", "y0", "x1", "y1")
"""Columns that together make a box, in pixels of the full image."""

_ID = re.compile(r"[\w.-]{2,}")
_MEDIA = {"stillimage", "image", "photo", "photograph", "image/jpeg", "image/png"}
"""What a column `type` says of pictures as such."""
FEW = 20
"""In so few rows, all may be of one class."""
ONE = frozenset({"1", "1.0", "true", "yes", "y", "x", "\u2713", "\u2714"})
"""What a column of a class has where a picture is of it."""
_ANSWERS = {"accept", "reject", "ignore"}
_COUNT = re.compile(r"count|number|verified|delete|flag|^(is|has|n|num)[_ A-Z]", re.ASCII)
"""Columns of numbers that are no classes of their own."""
_BINARY = {"0", "0.0", "false", "no", "n", "", *ONE}


class NoPathsError(DataError):
    """A table that names no pictures."""


class OtherPicturesError(DataError):
    """A table that names none of the pictures that are there."""


Sample = Mapping[str, Sequence[str]]
"""Some values of each column."""


@dataclass(frozen=True)
class TableColumns:
    """What each column of a table is for, by the table's own names."""

    paths: tuple[str, ...] = ()
    """Those that may name the pictures, the likeliest first."""
    folder: str | None = None
    """Folders of the files that `paths` name."""
    labels: tuple[str, ...] = ()
    """Those that may name the classes, the likeliest first."""
    ranks: Mapping[str, str] = field(default_factory=dict)
    """From levels of a taxonomy, nearest first, to their columns."""
    one_hot: tuple[str, ...] = ()
    """One column a class."""
    split: str | None = None
    carried: Mapping[str, str] = field(default_factory=dict)
    """From a manifest's other columns to the table's."""

    def all(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        some = [*self.paths, *self.labels, *self.ranks.values(), *self.one_hot]
        some += [column for column in (self.folder, self.split) if column is not None]
        return tuple(dict.fromkeys([*some, *self.carried.values()]))


def is_headless(first: Sequence[str]) -> bool:
    """Whether the first row of a table is data: it holds a picture, and no known name."""
    known = {*names.PATHS, *names.LABELS, *names.IDS, *names.SPLITS}
    keys = [key_of(cell) for cell in first]
    return any(map(_is_picture, first)) and not known.intersection(keys)


def understand(
    columns: Sequence[str], sample: Sample, hints: Hints, *, needs_path: bool = True
) -> TableColumns:
    """What the columns are for, by their names, some of their values and what a person says.

    Raises `UsageError` where a column that the person names is missing, `DataError` where there is
    none for the pictures.
    """
    at = {key_of(column): column for column in reversed(columns) if key_of(column)}
    for flag, wanted in (
        ("--path-column", hints.path_column),
        ("--label-column", hints.label_column),
        ("--split-column", hints.split_column),
    ):
        if wanted is not None and key_of(wanted) not in at:
            raise UsageError(
                f"Expected a column of the table for {flag}, got {wanted!r}."
                f"{closest(wanted, columns)} It has {_listed(columns)}."
            )
    if (answers := at.get("answer")) and {"accept"} < {*sample[answers]} <= _ANSWERS:
        raise DataError(
            f"Expected labels that count, got Prodigy's answers in column {answers!r}; keep the"
            " rows of 'accept', each with its label."
        )
    whole = {ours: at.pop(ours) for ours in (*CORNERS, "box", "regions") if ours in at}
    columns = [column for column in columns if column not in whole.values()]
    paths = _paths(at, columns, sample, hints)
    if not paths and needs_path:
        near = next((hint for key in at if (hint := closest(key, names.PATHS))), "")
        raise NoPathsError(
            f"Expected a column named {', '.join(names.PATHS[:6])} for the pictures, got"
            f" {_listed(columns)}.{near} Name it by --path-column."
        )
    carried = {
        ours: column
        for ours, keys in names.CARRIED.items()
        if (column := first_of(keys, at | whole))
    }
    if "box" not in carried and all(corner in whole for corner in CORNERS):
        carried |= {corner: whole[corner] for corner in CORNERS}
    split = _split(at, sample, hints)
    taken = {*paths[:1], *carried.values(), split}
    labels = _labels(at, columns, sample, hints, taken)
    one_hot = () if labels else _one_hot(columns, sample, {*taken, *paths})
    for ours, wanted in (("group", hints.group_by), ("bag", hints.bag_by)):
        if column := _named(ours, wanted, at | whole, labels):
            carried[ours] = column
    ranks = {level: at[key] for level, keys in names.RANKS.items() if (key := _in(keys, at))}
    folder = first_of(names.FOLDERS, at)
    if folder in paths[:1]:
        folder = None
    return TableColumns(paths, folder, labels, ranks, one_hot, split, carried)


def _named(
    ours: str, wanted: str | None, at: Mapping[str, str], labels: Sequence[str]
) -> str | None:
    """The column that `--group-by` or `--bag-by` names, if it is one.

    Raises `UsageError` for a clash.
    """
    column = at.get(key_of(wanted)) if wanted else None
    if column not in (None, ours) and ours in labels:
        raise UsageError(
            f"Expected labels in a column that is not called {ours!r}, which --{ours}-by fills;"
            " call that column otherwise."
        )
    return column


def by_content(columns: Sequence[str], sample: Sample, hints: Hints) -> TableColumns:
    """What the columns of a table without a header are for, by their values alone."""
    path = next(c for c in columns if any(map(_is_picture, sample[c])))
    split = next((c for c in columns if _are_splits(sample[c])), None)
    others = [c for c in columns if c not in {path, split} and any(sample[c])]
    numbers = [c for c in others if all(re.fullmatch(r"-?\d+(\.\d+)?", v) for v in sample[c] if v)]
    carried = {}
    if len(numbers) in {4, 5} and numbers == others[-len(numbers) :][: len(numbers)]:
        carried = dict(zip(CORNERS, numbers[:4], strict=True))
        others = [c for c in others if c not in numbers[:4]]
    words = [c for c in others if c not in numbers] or others
    if hints.label_column is not None or hints.path_column is not None:
        raise UsageError("The table has no header that names a column; add one, as path,label.")
    return TableColumns((path,), labels=tuple(words[:1]), split=split, carried=carried)


def _paths(
    at: Mapping[str, str], columns: Sequence[str], sample: Sample, hints: Hints
) -> tuple[str, ...]:
    if hints.path_column is not None:
        return (at[key_of(hints.path_column)],)
    named = [at[key] for key in names.PATHS if key in at]
    ids = [at[key] for key in names.IDS if key in at]
    addresses = [at[key] for key in names.ADDRESSES if key in at]

    def likely(column: str) -> int:
        values = [value for value in sample[column] if value]
        if any(value.startswith(("http:", "https:")) for value in values):
            return 3 if len({*values}) > 1 or len(values) < 2 else 5  # an address of all
        if any(map(_is_picture, values)):
            return 0 if column in named or column in ids else 2
        return 1 if column in named else 2

    unknown = [
        c
        for c in columns
        if c not in {*named, *ids, *addresses} and any(map(_is_picture, sample[c]))
    ]
    found = [*named, *ids, *unknown, *addresses]
    others = [c for c in columns if found and c not in found and _are_ids(sample[c])]
    if not named and not unknown and ids and not addresses and len(at) < 2:
        return ()  # an id alone
    return tuple(
        sorted(dict.fromkeys([*found, *others]), key=lambda c: 4 if c in others else likely(c))
    )


def _labels(
    at: Mapping[str, str],
    columns: Sequence[str],
    sample: Sample,
    hints: Hints,
    taken: set[str | None],
) -> tuple[str, ...]:
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
        beside = [c for c in beside if c in free and c not in found and _are_words(sample[c])]
        found[1:1] = beside
        if "name" in at and at["name"] in free:
            found.append(at["name"])
    return tuple(dict.fromkeys(found))


def _one_hot(columns: Sequence[str], sample: Sample, taken: set[str | None]) -> tuple[str, ...]:
    """The columns that hold nothing but 0 and 1, where there are two or more."""
    binary = [
        c
        for c in columns
        if c not in taken
        and not c.startswith("#")
        and not _COUNT.search(c)
        and key_of(c) not in {*names.TRAINING, *names.HELD_OUT}
        and any(sample[c])
        and all(value.lower() in _BINARY for value in sample[c])
    ]
    if len(binary) < 2:
        return ()
    ones = [[value.lower() in ONE for value in sample[c]] for c in binary]
    marked = sum(map(any, zip(*ones, strict=True)))
    if (sum(map(any, ones)) < 2 and len(ones[0]) > FEW) or 2 * marked < len(ones[0]):
        return ()  # counts and marks of other things
    return tuple(binary)


def _split(at: Mapping[str, str], sample: Sample, hints: Hints) -> str | None:
    if hints.split_column is not None:
        return at[key_of(hints.split_column)]
    for key in (*names.SPLITS, *names.TRAINING, *names.HELD_OUT):
        if (column := at.get(key)) is None:
            continue
        values = {value.lower() for value in sample[column] if value}
        if key in names.SPLITS[:3] or _are_splits(sample[column]):
            return column
        if key in names.TRAINING and values and values <= _BINARY:
            return column
        if key in names.HELD_OUT and len(values) == 2 and values <= _BINARY:
            return column
    others = (c for c in at.values() if len({*filter(None, sample[c])}) > 1)
    return next((column for column in others if _are_splits(sample[column])), None)


def _are_splits(values: Sequence[str]) -> bool:
    given = {value for value in values if value and value.lower() != "unassigned"}
    named = {value for value in given if split_name(value)}
    return bool(named) and all(value.lower() in SETS for value in given - named)


def _are_ids(values: Sequence[str]) -> bool:
    """Whether each row has a word of its own, which may be a picture's name without suffix."""
    return bool(values) and len({*values}) == len(values) and all(map(_ID.fullmatch, values))


def _are_words(values: Sequence[str]) -> bool:
    given = [value for value in values if value]
    return bool(given) and not are_codes(given) and not any(map(_is_picture, given))


def _is_picture(value: str) -> bool:
    return is_image(value.strip()) or scheme_of(value) in {"gs", "s3"}


def _in(keys: Sequence[str], at: Mapping[str, str]) -> str | None:
    return next((key for key in keys if key in at), None)


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(column)[:60] for column in columns[:12])
    return (shown or "none") + (", ..." if len(columns) > 12 else "")
