"""Boxes of one file onto pictures that come from elsewhere: `--boxes md.json`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.assembling import assemble
from clipfg.data.readers.formats.form import FORMS, Sample, read, recognise
from clipfg.data.readers.formats.matching import Found, match_pictures
from clipfg.data.readers.labels import relabel
from clipfg.data.sources import scheme_of
from clipfg.errors import UsageError
from clipfg.paths import expanded
from clipfg.types import UNLABELLED, Hints, Manifest, Reading

if TYPE_CHECKING:
    from jaxtyping import Int

UNSETTLED = Hints()


def join_boxes(base: Manifest, path: Path, hints: Hints = UNSETTLED) -> Manifest:
    """`base` with an item a box in place of each picture that the file at `path` has boxes for.

    A picture that the file lists without a box is left out, one that it does not list stays whole.
    An item has the label of its box, else of its picture, and its picture's split.

    Raises `UsageError` for a file of no known format and for data that have boxes already,
    `DataError` for a damaged file, pictures that are not there, and boxes outside them.
    """
    path = expanded(path)
    if not path.is_file():
        raise UsageError(f"Expected a file of boxes, but there is none at {path}.")
    form = recognise(Sample(path))
    if form is None:
        raise UsageError(
            f"Expected boxes in {path}: a CSV with the columns path, x0, y0, x1, y1, or one of"
            f" {', '.join(name for name in FORMS if name != 'foreign')}."
        )
    return join(base, read(form, path, hints), hints)


def join(base: Manifest, annotations: Annotations, hints: Hints = UNSETTLED) -> Manifest:
    """As `join_boxes`, with annotations that are read already."""
    if "box" in base.table.column_names:
        raise UsageError(
            f"{base.name} has boxes of its own, which cannot be combined with those of"
            f" {annotations.source}."
        )
    boxed = assemble(annotations, found := _find(base, annotations), base.name, hints)
    boxed = _with_classes_of(base, boxed, detected=annotations.least > 0)
    position = {uri: row for row, uri in reversed([*enumerate(base.uris)])}
    listed = {uri for uri in found.uris if uri}
    of = [position[uri] for uri in boxed.uris]
    whole = [row for row, uri in enumerate(base.uris) if uri not in listed]
    rows = np.array(of + whole, np.int64)
    order = np.argsort(rows, kind="stable")
    table = base.table.take(pa.array(rows[order]))
    columns: dict[str, Any] = {name: table[name] for name in table.column_names}
    ids = boxed.ids + [base.ids[row] for row in whole]
    columns["id"] = pa.array(ids, pa.string()).take(pa.array(order))
    own = {name: _behind(boxed, name, len(whole), order) for name in ("box", "label", "split")}
    columns["box"] = own["box"]
    if "confidence" in boxed.table.column_names:
        columns["confidence"] = _behind(boxed, "confidence", len(whole), order)
    columns["label"] = pc.coalesce(own["label"], columns["label"])
    columns["split"] = pc.coalesce(columns["split"], own["split"])
    reading = _reading(base, boxed, annotations.source.name, [base.ids[row] for row in whole])
    classes = base.classes or boxed.classes
    return Manifest.build(base.name, columns, classes, base.expected, base.prompts, reading)


def _find(base: Manifest, annotations: Annotations) -> Found:
    """The pictures of annotations among those of `base`."""
    uris, ids = base.uris, base.ids
    names = [one if scheme_of(uri) else uri for uri, one in zip(uris, ids, strict=True)]
    folders = {os.path.dirname(name) for name in names}  # noqa: PTH120 - text, for a million rows
    shared = os.path.commonpath(folders) if len({f[:1] == "/" for f in folders}) == 1 else ""
    parts = [tuple(name[len(shared) :].strip("/").split("/")) for name in names]
    rows = {"/".join(one): row for row, one in reversed([*enumerate(parts)])}
    paths = match_pictures(annotations, list(dict.fromkeys(parts)), Path(shared or base.name))
    places = [rows[one] if one else -1 for one in paths]
    return Found(*([each[row] if row >= 0 else "" for row in places] for each in (ids, uris)))


def _with_classes_of(base: Manifest, boxed: Manifest, *, detected: bool) -> Manifest:
    """Boxes labelled by the classes of `base`; a detector's words are no classes beside them."""
    if base.classes is None or boxed.classes is None:
        return boxed
    if not detected or (base.labels == UNLABELLED).all():
        return relabel(boxed, base.classes)
    place = boxed.table.column_names.index("label")
    blank = pa.nulls(len(boxed), pa.int32())
    return replace(boxed, table=boxed.table.set_column(place, "label", blank), classes=None)


def _behind(boxed: Manifest, name: str, more: int, order: Int[np.ndarray, " n"]) -> pa.Array:
    """A column of `boxed` with `more` nulls behind it, in another order."""
    column = boxed.table[name].combine_chunks()
    return pa.concat_arrays([column, pa.nulls(more, column.type)]).take(pa.array(order))


def _reading(base: Manifest, boxed: Manifest, source: str, whole: list[str]) -> Reading:
    own, theirs = base.reading or Reading("images"), boxed.reading or Reading("boxes")
    doubts = (*own.doubts, *theirs.doubts)
    if whole:
        doubts += (
            f"{len(whole):,} pictures, such as {whole[0]}, are not in {source}; they are used"
            " whole.",
        )
    return Reading(
        f"{own.form}, with boxes of {source} ({theirs.form})",
        (*own.roles, *theirs.roles),
        (*own.left_out, *theirs.left_out),
        doubts,
        failed=theirs.failed,
    )
