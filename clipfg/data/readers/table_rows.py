"""Rows of a table: which of them are items, the split of each, and its one label."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers.column_names import HELD_OUT, SPLITS, key_of
from clipfg.data.readers.labelled import Labelled
from clipfg.data.readers.labels import named_splits
from clipfg.data.readers.table_columns import TableColumns
from clipfg.data.readers.walk import is_image
from clipfg.errors import DataError
from clipfg.types import Hints

_NOTE = re.compile(r"^(?:total|sum|summe|mean|average|note|source)|\S\s+\S|[:=]", re.IGNORECASE)
NOTES = 3
"""So many rows below a table may be sums or remarks."""
_TRAINING = {"1": "train", "1.0": "train", "true": "train", "0": "test", "0.0": "test"}
_TRAINING |= {"false": "test"}


def without_blank_rows(cells: pa.Table) -> pa.Table:
    """The rows that hold anything: spreadsheets leave blank ones behind."""
    blank = np.ones(cells.num_rows, bool)
    for column in cells.columns:
        empty = pc.is_null(column)
        if pa.types.is_string(column.type):
            empty = pc.equal(pc.fill_null(column, ""), "")
        blank &= empty.to_numpy()
        if not blank.any():
            return cells
    return cells.filter(pa.array(~blank))


def without_headers(cells: pa.Table, columns: TableColumns) -> pa.Table:
    """The rows that are no header again, as where tables were put together."""
    if not columns.paths:
        return cells
    own = pc.equal(pc.fill_null(cells[columns.paths[0]], ""), columns.paths[0])
    return cells.filter(pc.invert(own)) if pc.any(own).as_py() else cells


def without_notes(cells: pa.Table, columns: TableColumns) -> tuple[pa.Table, str]:
    """The rows without what names no picture: units in the first, sums and remarks in the last.

    Also a doubt that says so.
    """
    if not columns.paths or cells.num_rows < 2:
        return cells, ""
    if not any(cells[columns.paths[0]][:1].to_pylist()) and cells[columns.paths[0]][1].as_py():
        first = ", ".join(
            repr(value)[:60] for value in cells.slice(0, 1).to_pylist()[0].values() if value
        )
        return cells.slice(1), f"The first row names no picture ({first}) and is left out."
    last = cells[columns.paths[0]][-NOTES - 1 :].to_pylist()
    count = next((n for n, value in enumerate(reversed(last)) if is_image(value or "")), 0)
    if not count or not all(map(_NOTE.search, map(str, last[-count:]))):
        return cells, ""
    said = ", ".join(repr(value or "")[:60] for value in last[-count:])
    kept = cells.slice(0, cells.num_rows - count)
    return kept, f"The last rows name no picture ({said}) and are left out."


def without_negatives(cells: pa.Table, columns: TableColumns) -> tuple[pa.Table, str]:
    """The rows that say what pictures show, where a picture has several and some say what not.

    Also a doubt that says so.
    """
    if columns.presence is None or not columns.paths or "box" in cells.column_names:
        return cells, ""
    pictures = path_texts(cells, columns.paths[0], columns.folder)
    marks = pc.utf8_lower(pc.fill_null(cells[columns.presence], ""))
    negative = pc.is_in(marks, pa.array(["0", "0.0", "false", "no", "n"]))
    count = pc.sum(negative).as_py() or 0
    if not 0 < count < len(cells) or pc.count_distinct(pictures).as_py() == len(cells):
        return cells, ""
    return cells.filter(pc.invert(negative)), (
        f"{count:,} of {len(cells):,} rows say by column {columns.presence} what a picture does not"
        " show, and are left out."
    )


def splits_of(cells: pa.Table, columns: TableColumns) -> pa.Array | None:
    """The name of each row's split; None without a column for it."""
    if columns.split is None:
        return None
    coded = cells[columns.split].combine_chunks().cast(pa.string()).dictionary_encode()
    values = coded.dictionary.to_pylist()
    flags = {value.lower() for value in values}
    key = key_of(columns.split)
    if flags and flags <= set(_TRAINING) and key not in SPLITS:
        marked = HELD_OUT.get(key)
        other = {"train": marked, "test": "train"} if marked else {"train": "train", "test": "test"}
        names: list[str | None] = [other[_TRAINING[value.lower()]] for value in values]
    else:
        names = named_splits(v if v.lower() != "unassigned" else "" for v in values)
    return pa.array(names, pa.string()).take(coded.indices)


def one_label(
    labelled: Labelled,
    cells: pa.Table,
    splits: pa.Array | None,
    columns: TableColumns,
    path: Path,
    hints: Hints,
) -> tuple[Labelled, pa.Table, pa.Array | None]:
    """One label for each picture: a picture with several is refused, or as `hints` say.

    A picture with boxes, regions, bags or views may have a row for each.
    """
    several = labelled.several
    dropped = np.zeros(len(labelled.labels), bool)
    example = labelled.example
    parts = {"box", "regions", "bag", "view"} & set(cells.column_names)
    total = len(labelled.labels)
    if labelled.classes is not None and columns.paths and not parts:
        pictures = path_texts(cells, columns.paths[0], columns.folder)
        rows = pc.fill_null(pictures.dictionary_encode().indices, -1).to_numpy().astype(np.int64)
        total = len(np.unique(rows))
        order = np.argsort(rows, kind="stable")
        same = rows[order][1:] == rows[order][:-1]
        other = labelled.labels[order][1:] != labelled.labels[order][:-1]
        clashing = np.unique(rows[order][1:][same & other])
        if len(clashing):
            several = np.isin(rows, clashing) | (False if several is None else several)
            first = np.zeros(len(rows), bool)
            first[np.unique(rows, return_index=True)[1]] = True
            dropped = several & ~first
            one = dict.fromkeys(labelled.labels[rows == clashing[0]].tolist())
            example = example or tuple(labelled.classes.names[label] for label in one if label >= 0)
    if several is None or not several.any():
        return labelled, cells, splits
    count = int((several & ~dropped).sum())
    which = f"{count:,} of {total:,} pictures of {path} have several labels"
    if hints.several_labels is None:
        shown_labels = ", ".join(repr(label)[:40] for label in example[:4])
        raise DataError(
            f"Expected one label for each picture, got several for {count:,} of"
            f" {total:,} in {path}, such as {shown_labels}; take the first of each"
            " by --several-labels first, or leave these pictures out by --several-labels skip."
        )
    skipped = hints.several_labels == "skip"
    kept = ~(several if skipped else dropped)
    if not kept.any():
        raise DataError(f"Expected pictures with one label in {path}, but all have several.")
    doubt = f"{which}: " + ("they are left out." if skipped else "the first label is taken.")
    labelled = replace(labelled, labels=labelled.labels[kept], several=None)
    labelled.doubts.append(doubt)
    mask = pa.array(kept)
    return labelled, cells.filter(mask), None if splits is None else splits.filter(mask)


def path_texts(cells: pa.Table, column: str, folder: str | None) -> pa.Array:
    """What a column says of its pictures, below the folders that another column names."""
    texts = pc.utf8_trim_whitespace(cells[column].combine_chunks())
    if folder is None or folder not in cells.column_names:
        return texts
    above = pc.utf8_trim_whitespace(cells[folder].combine_chunks().fill_null(""))
    above = pc.replace_substring(above, "\\", "/")
    joined = pc.binary_join_element_wise(pc.utf8_rtrim(above, "/"), texts, "/")
    return pc.if_else(pc.equal(above, ""), texts, joined)
