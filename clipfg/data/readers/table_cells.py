"""What single cells of a table say of labels: words for nothing, objects, lists, tags.

Rows with the same values are looked at once, so that a million rows cost little.
"""

import ast
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clipfg.data.readers.labels import plain
from clipfg.errors import DataError

_UNSEEN = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")
"""Marks without a width that web pages leave in what is copied from them."""

Values = dict[str, list[str]]
"""The values of each column, for each distinct row."""

_JOINING = (",", "/", "+", "&")
MISSING = frozenset({"nan", "NaN", "NULL", "null", "N/A", "n/a", "NA", "#N/A", "<NA>", "None"})
MAY_BE_NAMES = frozenset({"NA", "None", "null", "NULL"})
"""Of these, what a class may really be called."""
_MARKS = frozenset({"?", "-", "--", "\u2013", "\u2014"})
"""What stands for nothing where others are words: they may be signs to be told apart."""


def distinct_rows(table: pa.Table, columns: Sequence[str]) -> tuple[Values, NDArray[np.int64]]:
    """The distinct rows of some columns, in order of their first occurrence, and each row's."""
    combined = np.zeros(table.num_rows, np.int64)
    for column in columns:
        coded = table[column].combine_chunks().dictionary_encode()
        codes = pc.fill_null(coded.indices, -1).to_numpy().astype(np.int64) + 1
        pairs = combined * (len(coded.dictionary) + 1) + codes
        _, combined = np.unique(pairs, return_inverse=True)
    _, first, rows = np.unique(combined, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    taken = table.select(list(columns)).take(pa.array(first[order]))
    values = {c: _without_marks([clean(v) for v in taken[c].to_pylist()]) for c in columns}
    return values, place[rows]


def _without_marks(values: list[str]) -> list[str]:
    if all(len(value) < 3 for value in values):
        return values
    return ["" if value in _MARKS else value for value in values]


def clean(value: str | None) -> str:
    """A label in composed Unicode without white space around it; blank where it says nothing."""
    text = _UNSEEN.sub("", unicodedata.normalize("NFC", value or "")).strip().rstrip(";|")
    if text.startswith("{"):
        text = _in_object(text)
    return "" if text in MISSING else text


def _in_object(text: str) -> str:
    """The name in a JSON object that stands for a label. Raises `DataError` where it has none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    named = [found[key] for key in ("name", "label", "class", "class_name") if key in found]
    if not named or not isinstance(named[0], str | int):
        raise DataError(f"Expected a label, got an object: {text!r:.80}; name another column.")
    return str(named[0]).strip()


def labels_in(cells: Sequence[str], *, plural: bool) -> list[tuple[str, ...]]:
    """The labels of each cell: lists in brackets, and values divided by one separator.

    A separator divides only where every part of every divided cell is also a label by itself, so
    that names that contain it stay whole; `|` and `;`, which no name has, where one part is, or the
    column is `plural`.
    """
    if any(cell.startswith("[") for cell in cells):
        return [_bracketed(cell) for cell in cells]
    whole = {plain(cell) for cell in cells}
    for separator in ("|", ";", *_JOINING, " "):
        divided = [cell for cell in cells if separator in cell]
        parts = [{plain(part) for part in cell.split(separator)} for cell in divided]
        sure = separator in "|;" and (plural or all(own & whole for own in parts))
        if divided and (sure or set().union(*parts) <= whole):
            return [
                tuple(dict.fromkeys(part.strip() for part in cell.split(separator) if part.strip()))
                for cell in cells
            ]
    return [(cell,) if cell else () for cell in cells]


def joined(cells: Sequence[str]) -> str:
    """A cell that begins with what is a label by itself, and may hold several; blank for none."""
    whole = {plain(cell) for cell in cells}
    for cell in cells:
        first = next((cell.partition(s)[0] for s in _JOINING if s in cell), "")
        if first and plain(first) in whole:
            return cell
    return ""


def are_tags(cells: Sequence[str]) -> bool:
    """Whether cells are words that recur in others, with spaces between: `haze primary water`."""
    words = Counter(word for cell in {*cells} for word in {*cell.split()})
    return any(" " in cell for cell in cells) and 2 * sum(n > 1 for n in words.values()) > len(
        words
    )


def _bracketed(cell: str) -> tuple[str, ...]:
    if not (cell.startswith("[") and cell.endswith("]")):
        return (cell,) if cell else ()
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list):
            return tuple(dict.fromkeys(clean(str(part)) for part in found))
    return tuple(
        part.strip(" '\"") for part in re.split(r"[,\s]+", cell[1:-1]) if part.strip(" '\"")
    )
