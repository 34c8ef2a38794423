"""From annotations and the pictures on disk to a manifest: an item a box, or a picture."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int
from numpy.typing import NDArray

from clipfg.data.images.headers import picture_sizes
from clipfg.data.readers.boxes import BoxFormat, Layout, Unit, box_ids, corners, outside, place
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.labels import natural, readable_names
from clipfg.data.readers.picture_index import PictureIndex
from clipfg.data.readers.walk import Parts, Walk
from clipfg.data.sources import file_uri, scheme_of
from clipfg.errors import DataError
from clipfg.types import UNLABELLED, Choices, ClassList, LeftOut, Manifest, Reading

MOST_OUTSIDE = 0.05
"""With a larger share of boxes outside their pictures, the boxes are read in a wrong way."""


@dataclass(frozen=True)
class Found:
    """The pictures that annotations name, as they are on disk."""

    ids: list[str]
    """The path of each below the root, empty where there is no such picture."""
    uris: list[str]

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which pictures are on disk `[p]`."""
        return np.array([bool(one) for one in self.ids], bool)

    @property
    def first(self) -> Int[np.ndarray, "p"]:
        """The number of the first annotated picture that is the same one on disk."""
        known: dict[str, int] = {}
        pairs = enumerate(self.uris)
        return np.array([known.setdefault(uri or str(k), k) for k, uri in pairs], np.int64)


def find_pictures(annotations: Annotations, found: Walk) -> Found:
    """The pictures that lie below a folder; those that are not annotated are counted.

    Raises `DataError` as `match_pictures`.
    """
    ids = match_pictures(annotations, found.pictures, found.root)
    used, base = set(ids), str(found.root)
    for one in map("/".join, found.pictures):
        if one not in used:
            annotations.leave(one, "a picture that is not annotated")
    uris = [file_uri(os.path.join(base, one)) if one else "" for one in ids]  # noqa: PTH118
    return Found(ids, uris)


def match_pictures(annotations: Annotations, pictures: Sequence[Parts], where: Path) -> list[str]:
    """The path of each annotated picture among `pictures`, empty where it is not there.

    Raises `DataError` where none of them is there, and for an ambiguous name.
    """
    pairs = zip(annotations.folders, annotations.names, strict=True)
    names = [f"{folder}/{name}" if folder else name for folder, name in pairs]
    paths = [one or "" for one in PictureIndex(pictures).find_all(names)]
    if names and not any(paths):
        advice = "put the file beside its pictures, or name the pictures as the data and the file"
        advice += " as --boxes"
        if scheme_of(names[0]):
            advice = "they are addresses in a store: download them to that folder first"
        there = f"{len(pictures):,} others, such as {'/'.join(pictures[0])}" if pictures else "none"
        raise DataError(
            f"Expected the pictures of {annotations.source} below {where}, such as"
            f" {annotations.names[0]!r}, got {there}; {advice}."
        )
    return paths


def assemble(annotations: Annotations, found: Found, name: str, choices: Choices) -> Manifest:
    """The rows of annotations whose pictures were found, those of a picture together.

    Rows that are less sure than `choices.min_confidence` (by default the form's own) are left out.
    Boxes that lie outside their picture stay, so that each is a failure of its own and named.
    Raises `DataError` where so many do that the numbers must mean something else, where the file
    does not tell what they mean, and where nothing is left.
    """
    if choices.box_format is not None:
        annotations.boxes_are = BoxFormat.parse(choices.box_format)
    least = annotations.least if choices.min_confidence is None else choices.min_confidence
    left, doubts = annotations.left_out, list(annotations.doubts)
    there = found.there
    failed = np.isin(np.arange(len(there)), list(annotations.failed))
    if (absent := ~there & ~failed).any():
        first = annotations.names[int(np.argmax(absent))]
        left.append(LeftOut(first, int(absent.sum()), "no such picture on disk"))
    order = np.argsort(found.first[annotations.rows], kind="stable")
    order = order[there[annotations.rows[order]]]
    boxes = _placed(annotations, found, order, doubts)
    ids = np.array(box_ids([found.ids[p] for p in annotations.rows[order]], boxes), object)
    sure = annotations.confidence[order] >= least
    if weak := int((~sure).sum()):
        why = f"less sure than --min-confidence {least:g}"
        left.append(LeftOut(str(ids[int(np.argmin(sure))]), weak, why))
    order, boxes, ids = order[sure], boxes[sure], ids[sure]
    kept, labels, mixed = _settle(
        annotations.rows[order], annotations.labels[order], boxes, choices.several_labels
    )
    if mixed.any():
        _say_several(annotations, str(ids[int(np.argmax(mixed))]), int(mixed.sum()), choices, left)
    order, boxes, labels, ids = order[kept], boxes[kept], labels[kept], ids[kept]
    rows = annotations.rows[order]
    unused = there & ~failed
    unused[annotations.rows] = False
    if empty := int(unused.sum()):
        left.append(LeftOut(found.ids[int(np.argmax(unused))], empty, "nothing is marked in it"))
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
    reading = Reading(annotations.form, tuple(annotations.roles), tuple(left), tuple(doubts))
    return Manifest.build(name, columns, classes, reading=reading)


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
    annotations: Annotations, first: str, count: int, choices: Choices, left: list[LeftOut]
) -> None:
    """Say what became of pictures with several labels. Raises `DataError` where it was not told."""
    if choices.several_labels is None:
        raise DataError(
            f"Expected one label for each picture without boxes, got several for {count:,} in"
            f" {annotations.source}, such as {first}; take the first of each by --several-labels"
            " first, or leave these pictures out by --several-labels skip."
        )
    if choices.several_labels == "skip":
        left.append(LeftOut(first, count, "several labels and no box to tell which is which"))


def _box_columns(
    boxes: Float[np.ndarray, "n 4"], confidence: Float[np.ndarray, "n"]
) -> dict[str, pa.Array]:
    """Boxes, null for whole pictures, and how sure they are; nothing where no item has a box."""
    whole = np.isnan(boxes).any(axis=1)
    if whole.all():
        return {}
    values = pa.array(boxes.astype(np.float32).ravel())
    columns = {"box": pa.FixedSizeListArray.from_arrays(values, 4, mask=pa.array(whole))}
    return columns | ({"confidence": pa.array(confidence)} if confidence.min() < 1 else {})


def _classes(
    annotations: Annotations, labels: Int[np.ndarray, "n"]
) -> tuple[Int[np.ndarray, "n"], ClassList | None]:
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


def _placed(
    annotations: Annotations, found: Found, order: Int[np.ndarray, "n"], doubts: list[str]
) -> Float[np.ndarray, "n 4"]:
    """The boxes of rows in pixels of the upright pictures, NaN for rows without a box."""
    given = annotations.boxes[order]
    boxed = ~np.isnan(given).any(axis=1)
    if not boxed.any():
        return given
    used, rows = np.unique(annotations.rows[order[boxed]], return_inverse=True)
    sizes = picture_sizes([found.uris[picture] for picture in used])
    annotated = annotations.sizes[used]
    if annotations.boxes_are is None:
        annotations.boxes_are = _tell(annotations, given[boxed], sizes.upright[rows])
    placed = place(given[boxed], annotations.boxes_are, sizes, rows, annotated)
    known = np.asarray((sizes.stored > 0).all(axis=1))
    other = np.unique(rows[np.isnan(placed).any(axis=1) & known[rows]])
    if len(other):
        _refuse_shape(annotations, found, used, other, sizes.upright, annotated)
    scaled = (annotated > 0).all(axis=1) & known
    scaled &= (np.sort(annotated, axis=1) != np.sort(sizes.stored, axis=1)).any(axis=1)
    if scaled.any() and annotations.boxes_are.unit == "pixels":
        one = found.ids[used[int(np.argmax(scaled))]]
        doubts.append(
            f"{int(scaled.sum()):,} pictures, such as {one}, are of another size than when they"
            " were annotated; their boxes were scaled."
        )
    checked = known[rows]
    wrong = outside(placed[checked], sizes.upright[rows[checked]])
    if wrong.mean() > MOST_OUTSIDE:
        _refuse_boxes(annotations, given[boxed][checked], sizes.upright[rows[checked]], wrong)
    if wrong.any():
        doubts.append(
            f"{int(wrong.sum()):,} boxes have no area or lie outside their pictures, and are"
            " skipped one by one; --box-format settles what their numbers mean."
        )
    # A picture whose size is not known cannot be decoded: a box that is none keeps it a failure.
    placed[~known[rows]] = 0.0
    boxes = given.copy()
    boxes[boxed] = placed
    return boxes


def _tell(
    annotations: Annotations, given: Float[np.ndarray, "n 4"], upright: Int[np.ndarray, "n 2"]
) -> BoxFormat:
    """What four numbers mean where only one reading fits all. Raises `DataError` where two do."""
    unit: Unit = "relative" if given.max() <= 1 and (given % 1 != 0).any() else "pixels"
    limits = np.ones_like(upright) if unit == "relative" else upright
    known = np.asarray((upright > 0).all(axis=1))
    layouts: tuple[Layout, ...] = ("xyxy", "xywh")
    fitting = [
        layout
        for layout in layouts
        if not outside(corners(given, layout)[known], limits[known]).any()
    ]
    if len(fitting) == 1:
        return BoxFormat(fitting[0], unit)
    shown = ", ".join(f"{value:g}" for value in given[0])
    which = "both corners or a corner with width and height" if fitting else "neither"
    raise DataError(
        f"Expected to tell what boxes such as {shown} of {annotations.source} mean, but {which}"
        " would fit; say it by --box-format 'xyxy|xywh|cxcywh pixels|relative|percent'."
    )


def _refuse_shape(
    annotations: Annotations,
    found: Found,
    used: Int[np.ndarray, "p"],
    other: Int[np.ndarray, "q"],
    upright: Int[np.ndarray, "p 2"],
    annotated: Int[np.ndarray, "p 2"],
) -> None:
    one = int(other[0])
    raise DataError(
        f"Expected {found.ids[used[one]]} in {annotated[one][0]} x {annotated[one][1]} pixels, as"
        f" {annotations.source} has it, got {upright[one][0]} x {upright[one][1]}"
        f" ({len(other):,} such pictures); boxes are right on the annotated pictures alone."
    )


def _refuse_boxes(
    annotations: Annotations,
    given: Float[np.ndarray, "n 4"],
    upright: Int[np.ndarray, "n 2"],
    wrong: NDArray[np.bool_],
) -> None:
    """Raise where another layout of four numbers fits nearly all boxes, or this one hardly any."""
    assert annotations.boxes_are is not None
    layouts: tuple[Layout, ...] = ("xyxy", "xywh", "cxcywh")
    unit: Unit = "relative" if given.max() <= 1 else "pixels"
    limits = np.ones_like(upright) if unit == "relative" else upright
    fitting = [
        str(BoxFormat(layout, unit))
        for layout in layouts
        if outside(corners(given, layout), limits).mean() <= MOST_OUTSIDE
    ]
    if not fitting and wrong.mean() <= 0.5:
        return  # some are wrong, whatever the numbers mean: each is a failure of its own
    hint = f" They would fit as {' or '.join(fitting)}." if fitting else ""
    one = int(np.argmax(wrong))
    shown = ", ".join(f"{value:g}" for value in given[one])
    width, height = upright[one]
    raise DataError(
        f"Expected boxes as {annotations.boxes_are} in {annotations.source}, but"
        f" {int(wrong.sum()):,} of {len(wrong):,} have no area or lie outside their pictures, such"
        f" as {shown} in {width} x {height} pixels.{hint} Say what the numbers are by"
        " --box-format 'xyxy|xywh|cxcywh pixels|relative|percent'."
    )


def _settle(
    rows: Int[np.ndarray, "n"],
    labels: Int[np.ndarray, "n"],
    boxes: Float[np.ndarray, "n 4"],
    several_labels: str | None,
) -> tuple[NDArray[np.bool_], Int[np.ndarray, "n"], NDArray[np.bool_]]:
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
