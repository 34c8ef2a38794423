"""Columns that are one class each: 1 where a picture is of it."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers import column_names as names
from clipfg.data.readers.column_names import key_of
from clipfg.data.readers.column_values import BINARY, ONE, Sample
from clipfg.data.readers.labelled import Labelled
from clipfg.data.readers.labels import natural
from clipfg.types import UNLABELLED, ClassList, Role

FEW = 20
"""In so few rows, all may be of one class."""
_COUNT = re.compile(r"count|number|verified|delete|flag|^(is|has|n|num)[_ A-Z]", re.ASCII)
"""Columns of numbers that are no classes of their own."""


def one_hot_columns(
    columns: Sequence[str], sample: Sample, taken: set[str | None]
) -> tuple[str, ...]:
    """The columns that hold nothing but 0 and 1, where there are two or more."""
    binary = [
        c
        for c in columns
        if c not in taken
        and not c.startswith("#")
        and not _COUNT.search(c)
        and key_of(c) not in {*names.TRAINING, *names.HELD_OUT}
        and any(sample[c])
        and all(value.lower() in BINARY for value in sample[c])
    ]
    if len(binary) < 2:
        return ()
    ones = [[value.lower() in ONE for value in sample[c]] for c in binary]
    marked = sum(map(any, zip(*ones, strict=True)))
    if (sum(map(any, ones)) < 2 and len(ones[0]) > FEW) or 2 * marked < len(ones[0]):
        return ()  # counts and marks of other things
    return tuple(binary)


def one_hot_labels(table: pa.Table, columns: Sequence[str]) -> Labelled:
    """One column a class: its label is the one that is 1."""
    labels = np.full(table.num_rows, UNLABELLED)
    counts = np.zeros(table.num_rows, np.int64)
    order = sorted(columns, key=natural)
    for place, column in enumerate(order):
        texts = pc.utf8_lower(pc.utf8_trim_whitespace(pc.fill_null(table[column], "")))
        ones = pc.is_in(texts, pa.array([*ONE])).to_numpy()
        labels[ones & (counts == 0)] = place
        counts += ones
    several = counts > 1
    example: tuple[str, ...] = ()
    if several.any():
        row = int(several.argmax())
        cells = {c: (table[c][row].as_py() or "").strip().lower() for c in order}
        example = tuple(c for c in order if cells[c] in ONE)
    roles = [Role(f"{len(order)} columns of 0 and 1, {order[0]!r} first", "one class each")]
    return Labelled(labels, ClassList(tuple(order)), several, example, roles)
