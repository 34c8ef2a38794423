"""From annotations and the pictures on disk to a manifest: an item a box, or a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clipfg.data.readers.boxes import BoxFormat, box_ids
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.matching import Found
from clipfg.data.readers.formats.placing import placed_boxes
from clipfg.data.readers.labels import natural, readable_names
from clipfg.errors import DataError
from clipfg.types import UNLABELLED, ClassList, Hints, LeftOut, Manifest, Reading

if TYPE_CHECKING:
    from jaxtyping import Float, Int


def assemble(annotations: Annotations, found: Found, name: str, hints: Hints) -> Manifest:
    """The rows of annotations whose pictures were found, those of a picture together.

    Rows that are less sure than `hints.min_confidence` (by default the form's own) are left out.
    Boxes that lie outside their picture stay, so that each is a failure of its own and named.
    Raises `DataError` where so many do that the numbers must mean something else, where the file
    does not tell what they mean, and where nothing is left.
    """
    if hints.box_format is not None:
        annotations.boxes_are = BoxFormat.parse(hints.box_format)
    least = annotations.least if hints.min_confidence is None else hints.min_confidence
    left, doubts = _unused_pictures(annotations, found), list(annotations.doubts)
    there = found.there
    order = np.argsort(found.first[annotations.rows], kind="stable")
    order = order[there[annotations.rows[order]]]
    boxes = placed_boxes(annotations, found, order, doubts)
    ids = np.array(box_ids([found.ids[p] for p in annotations.rows[order]], boxes), object)
    sure = annotations.confidence[order] >= least
    if weak := int((~sure).sum()):
        why = f"less sure than --min-confidence {least:g}"
        left.append(LeftOut(str(ids[int(np.argmin(sure))]), weak, why))
    order, boxes, ids = order[sure], boxes[sure], ids[sure]
    kept, labels, mixed = _settle(
        annotations.rows[order], annotations.labels[order], boxes, hints.several_labels
    )
    if mixed.any():
        _say_several(annotations, str(ids[int(np.argmax(mixed))]), int(mixed.sum()), hints, left)
    order, boxes, labels, ids = order[kept], boxes[kept], labels[kept], ids[kept]
    rows = annotations.rows[order]
    if not len(order):
        said = "; ".join(f"{one.count:,} {one.why} ({one.what})" for one in left)
        raise DataError(f"Expected annotations to use in {annotations.source}, got none: {said}.")
    labels, classes = _classes(annotations, labels)
    splits = pa.array(_splits(annotations, found, doubts), pa.string())
    columns: dict[str, Any] = {
        "id": pa.array(ids, pa.string()),
        "uri": pa.array(found.uris, pa.string()).take(pa.array(rows)),
        "split": splits.take(pa.array(rows)),
        "label": pa.array(labels, pa.int32(), mask=labels == UNLABELLED),
        **_box_columns(boxes, annotations.confidence[order]),
    }
    if annotations.captions:
        whole = np.isnan(boxes).any(axis=1)  # a caption of the picture is not one of a box in it
        of = zip(rows.tolist(), whole.tolist(), strict=True)
        columns["captions"] = [annotations.captions.get(row) if all_ else None for row, all_ in of]
    failed = tuple(annotations.names[number] for number in sorted(annotations.failed))
    reading = Reading(
        annotations.form, tuple(annotations.roles), tuple(left), tuple(doubts), failed=failed
    )
    return Manifest.build(name, columns, classes, reading=reading)


def _unused_pictures(annotations: Annotations, found: Found) -> list[LeftOut]:
    """What the reader left out, pictures that are not there, and those without a row."""
    left, there = annotations.left_out, found.there
    failed = np.isin(np.arange(len(there)), list(annotations.failed))
    empty = there & ~failed
    empty[annotations.rows] = False
    if (absent := ~there & ~failed).any():
        first = annotations.names[int(np.argmax(absent))]
        left.append(LeftOut(first, int(absent.sum()), "no such picture on disk"))
    if empty.any():
        first = found.ids[int(np.argmax(empty))]
        left.append(LeftOut(first, int(empty.sum()), "nothing is marked in it"))
    return left


def _splits(annotations: Annotations, found: Found, doubts: list[str]) -> list[str | None]:
    """The split of each picture; one that is listed in two keeps all its boxes in the first."""
    first: dict[str, str | None] = {}
    splits = [
        first.setdefault(uri, split)
        for uri, split in zip(found.uris, annotations.splits, strict=True)
    ]
    pairs = zip(found.ids, annotations.splits, splits, strict=True)
    if twice := [one for one, given, taken in pairs if one and given != taken]:
        doubts.append(
            f"{len(twice):,} pictures, such as {twice[0]}, are listed in two splits; all that is"
            " marked in them is in the first."
        )
    return splits


def _say_several(
    annotations: Annotations, first: str, count: int, hints: Hints, left: list[LeftOut]
) -> None:
    """Say what became of pictures with several labels. Raises `DataError` where it was not told."""
    if hints.several_labels is None:
        raise DataError(
            f"Expected one label for each picture without boxes, got several for {count:,} in"
            f" {annotations.source}, such as {first}; take the first of each by --several-labels"
            " first, or leave these pictures out by --several-labels skip."
        )
    if hints.several_labels == "skip":
        left.append(LeftOut(first, count, "several labels and no box to tell which is which"))


def _box_columns(
    boxes: Float[np.ndarray, "n 4"], confidence: Float[np.ndarray, " n"]
) -> dict[str, pa.Array]:
    """Boxes, null for whole pictures, and how sure they are; nothing where no item has a box."""
    whole = np.isnan(boxes).any(axis=1)
    if whole.all():
        return {}
    values = pa.array(boxes.astype(np.float32).ravel())
    columns = {"box": pa.FixedSizeListArray.from_arrays(values, 4, mask=pa.array(whole))}
    return columns | ({"confidence": pa.array(confidence)} if confidence.min() < 1 else {})


def _classes(
    annotations: Annotations, labels: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " n"], ClassList | None]:
    """Labels in the order that the file gives its classes, or the natural order of those used."""
    given = list(annotations.classes)
    if annotations.ordered:
        chosen = np.arange(len(given))
    else:
        used = sorted(np.unique(labels[labels != UNLABELLED]).tolist())
        chosen = np.array(sorted(used, key=lambda label: natural(given[label])), np.int64)
    if not len(chosen):
        return labels, None
    places = np.full(len(given) + 1, UNLABELLED)  # the last place is for UNLABELLED
    places[chosen] = np.arange(len(chosen))
    return places[labels], ClassList(tuple(readable_names([given[label] for label in chosen])))


def _settle(
    rows: Int[np.ndarray, " n"],
    labels: Int[np.ndarray, " n"],
    boxes: Float[np.ndarray, "n 4"],
    several_labels: str | None,
) -> tuple[NDArray[np.bool_], Int[np.ndarray, " n"], NDArray[np.bool_]]:
    """Which rows are items, their labels, and which are pictures with several labels.

    A label of the whole picture goes to its boxes where they have none. A picture without boxes is
    one item, with its first label, or none at all where `several_labels` is "skip".
    """
    whole = np.isnan(boxes).any(axis=1)
    count = int(rows.max()) + 1 if len(rows) else 0
    first = np.full(count, UNLABELLED)
    several = np.zeros(count, bool)
    for row in np.flatnonzero(whole & (labels != UNLABELLED)):
        picture = rows[row]
        if first[picture] == UNLABELLED:
            first[picture] = labels[row]
        several[picture] |= first[picture] != labels[row]
    has_box = np.zeros(count, bool)
    has_box[rows[~whole]] = True
    given = (labels == UNLABELLED) & (whole | ~several[rows])
    labels = np.where(given, first[rows], labels)
    once = np.zeros(len(rows), bool)
    alone = np.flatnonzero(whole & ~has_box[rows])
    once[alone[np.unique(rows[alone], return_index=True)[1]]] = True
    mixed = once & several[rows]
    kept = ~whole | (once & ~mixed if several_labels == "skip" else once)
    return kept, labels, mixed
