"""From the columns of a table to what each is for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clipfg.data.readers import column_names as names
from clipfg.data.readers.column_names import first_of, key_of
from clipfg.data.readers.column_values import BINARY, Sample, are_ids, are_splits, is_picture
from clipfg.data.readers.label_columns import label_columns
from clipfg.data.readers.one_hot import one_hot_columns
from clipfg.errors import DataError, UsageError
from clipfg.registry import closest
from clipfg.types import Hints

CORNERS = ("x0", "y0", "x1", "y1")
"""Columns that together make a box, in pixels of the full image."""

_ANSWERS = {"accept", "reject", "ignore"}


class NoPathsError(DataError):
    """A table that names no pictures."""


class OtherPicturesError(DataError):
    """A table that names none of the pictures that are there."""


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
    presence: str | None = None
    """0 where a row says what a picture does not show, else 1."""
    carried: Mapping[str, str] = field(default_factory=dict)
    """From a manifest's other columns to the table's."""

    def all(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        some = [*self.paths, *self.labels, *self.ranks.values(), *self.one_hot]
        some += [
            column for column in (self.folder, self.split, self.presence) if column is not None
        ]
        return tuple(dict.fromkeys([*some, *self.carried.values()]))


def is_headless(first: Sequence[str]) -> bool:
    """Whether the first row of a table is data: it holds a picture, and no known name."""
    known = {*names.PATHS, *names.LABELS, *names.IDS, *names.SPLITS}
    keys = [key_of(cell) for cell in first]
    return any(map(is_picture, first)) and not known.intersection(keys)


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
    labels = label_columns(at, columns, sample, hints, taken)
    one_hot = () if labels else one_hot_columns(columns, sample, {*taken, *paths})
    for ours, wanted in (("group", hints.group_by), ("bag", hints.bag_by)):
        if column := _named(ours, wanted, at | whole, labels):
            carried[ours] = column
    ranks = {level: at[key] for level, keys in names.RANKS.items() if (key := _in(keys, at))}
    folder = first_of(names.FOLDERS, at)
    if folder in paths[:1]:
        folder = None
    presence = first_of(names.PRESENCE, at)
    if presence in taken or not (presence and {v.lower() for v in sample[presence]} <= BINARY):
        presence = None
    return TableColumns(paths, folder, labels, ranks, one_hot, split, presence, carried)


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
    path = next(c for c in columns if any(map(is_picture, sample[c])))
    split = next((c for c in columns if are_splits(sample[c])), None)
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
        if any(map(is_picture, values)):
            return 0 if column in named or column in ids else 2
        return 1 if column in named else 2

    unknown = [
        c
        for c in columns
        if c not in {*named, *ids, *addresses} and any(map(is_picture, sample[c]))
    ]
    found = [*named, *ids, *unknown, *addresses]
    others = [c for c in columns if found and c not in found and are_ids(sample[c])]
    if not named and not unknown and ids and not addresses and len(at) < 2:
        return ()  # an id alone
    return tuple(
        sorted(dict.fromkeys([*found, *others]), key=lambda c: 4 if c in others else likely(c))
    )


def _split(at: Mapping[str, str], sample: Sample, hints: Hints) -> str | None:
    if hints.split_column is not None:
        return at[key_of(hints.split_column)]
    for key in (*names.SPLITS, *names.TRAINING, *names.HELD_OUT):
        if (column := at.get(key)) is None:
            continue
        values = {value.lower() for value in sample[column] if value}
        if key in names.SPLITS[:3] or are_splits(sample[column]):
            return column
        if key in names.TRAINING and values and values <= BINARY:
            return column
        if key in names.HELD_OUT and len(values) == 2 and values <= BINARY:
            return column
    others = (c for c in at.values() if len({*filter(None, sample[c])}) > 1)
    return next((column for column in others if are_splits(sample[column])), None)


def _in(keys: Sequence[str], at: Mapping[str, str]) -> str | None:
    return next((key for key in keys if key in at), None)


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(column)[:60] for column in columns[:12])
    return (shown or "none") + (", ..." if len(columns) > 12 else "")
