"""What an annotation file says of pictures, row by row, in little memory."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clipfg.data.readers.boxes import BoxFormat
from clipfg.errors import DataError
from clipfg.types import UNLABELLED, LeftOut, Role

if TYPE_CHECKING:
    from jaxtyping import Float, Int

NO_BOX = (float("nan"),) * 4


class Meaning(NamedTuple):
    """What a category of a file means."""

    label: str | None
    """The class; None for an item without one."""
    left_out: str | None = None
    """Why its rows are not used, where they are not."""


@dataclass
class Annotations:
    """Pictures as a file names them, and rows of a picture with a label, a box, or both."""

    form: str
    """What the file is: "COCO instances"."""
    source: Path
    """The file, or the folder of files, that this was read from."""
    boxes_are: BoxFormat | None = None
    """What the numbers of a box mean; None where the form does not say."""
    roles: list[Role] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    least: float = 0.0
    """The confidence below which a row is not used unless the user says otherwise."""
    names: list[str] = field(default_factory=list)
    """The pictures as the file names them."""
    splits: list[str | None] = field(default_factory=list)
    """Of each picture."""
    folders: list[str] = field(default_factory=list)
    """Where each picture is looked for first, below the root; empty for nowhere."""
    classes: dict[str, int] = field(default_factory=dict)
    """Class names and their labels."""
    failed: set[int] = field(default_factory=set)
    """Pictures that the source could not use, by number."""
    captions: dict[int, list[str]] = field(default_factory=dict)
    """Of pictures as wholes, by number."""
    ordered: bool = False
    """Whether the order of the classes is the file's own, given by `declare`."""

    def __post_init__(self) -> None:
        self._known: dict[tuple[str, str | None], int] = {}
        self._sizes = array("i")
        self._rows = array("i")
        self._labels = array("i")
        self._boxes = array("d")
        self._confidence = array("f")
        self._left: dict[str, tuple[str, int]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def declare(self, names: Sequence[str]) -> None:
        """The classes in the order that the file gives them."""
        self.ordered = True
        for name in names:
            self.classes.setdefault(name, len(self.classes))

    def picture(
        self,
        name: str,
        split: str | None = None,
        size: tuple[int, int] | None = None,
        folder: str = "",
    ) -> int:
        """The number of a picture, new or known; `size` is the width and height in the file."""
        number = self._known.setdefault((name, split), len(self.names))
        if number == len(self.names):
            self.names.append(name)
            self.splits.append(split)
            self.folders.append(folder)
            self._sizes.extend(size or (0, 0))
        return number

    def add(
        self,
        picture: int,
        label: str | None = None,
        box: Sequence[float] | None = None,
        confidence: float = 1.0,
    ) -> None:
        """A row: a picture, or a box in it, with a label or without.

        Raises `DataError` for a box that is not finite.
        """
        if box is not None and not math.isfinite(sum(box)):
            raise DataError(
                f"Expected four finite numbers as the box in {self.names[picture]}, got"
                f" {', '.join(f'{value:g}' for value in box)}; correct it in {self.source}, or"
                " leave it out."
            )
        self._rows.append(picture)
        self._labels.append(self._code(label))
        self._boxes.extend(NO_BOX if box is None else box)
        self._confidence.append(confidence)

    def describe(self, picture: int, caption: str) -> None:
        """A caption of a picture as a whole; one without boxes is an item."""
        if caption := caption.strip():
            self.captions.setdefault(picture, []).append(caption)

    def leave(self, what: str, why: str, count: int = 1) -> None:
        """Count what is not used; the first of each kind is named."""
        first, before = self._left.get(why, (what, 0))
        self._left[why] = first, before + count

    def extend(self, other: Annotations) -> None:
        """Append the pictures and rows of another file of the same form."""
        for name in other.classes:
            self.classes.setdefault(name, len(self.classes))
        self.ordered |= other.ordered
        sizes = other.sizes.tolist()
        pictures = np.array(
            [
                self.picture(name, split, tuple(size), folder)
                for name, split, size, folder in zip(
                    other.names, other.splits, sizes, other.folders, strict=True
                )
            ],
            np.int32,
        )
        for number, captions in other.captions.items():
            self.captions.setdefault(int(pictures[number]), []).extend(captions)
        self.failed |= {int(pictures[number]) for number in other.failed}
        codes = np.array([*(self.classes[name] for name in other.classes), UNLABELLED], np.int32)
        self._rows.frombytes(pictures[other.rows].tobytes())
        self._labels.frombytes(codes[other.labels].tobytes())
        self._boxes.frombytes(other.boxes.tobytes())
        self._confidence.frombytes(other.confidence.tobytes())
        for one in other.left_out:
            self.leave(one.what, one.why, one.count)
        self.roles += [role for role in other.roles if role not in self.roles]
        self.doubts += [doubt for doubt in other.doubts if doubt not in self.doubts]

    def fail(self, name: str, why: str) -> None:
        """A picture that its source could not use: it is listed, has no rows, and says why."""
        self.failed.add(self.picture(name))
        self.leave(name, why)

    def translate(self, meaning: Callable[[str], Meaning]) -> None:
        """Replace the labels of the rows so far by what they mean, once all of it is known."""
        meanings = [meaning(label) for label in self.classes]
        self.classes = {}
        codes = np.array([self._code(one.label) for one in meanings] + [UNLABELLED], np.int32)
        why = np.array([one.left_out is not None for one in meanings] + [False])
        labels, rows = self.labels, self.rows
        for code in np.unique(labels[why[labels]]).tolist():
            places = np.flatnonzero(labels == code)
            reason = meanings[code].left_out or ""
            self.leave(self.names[rows[places[0]]], reason, len(places))
        kept = ~why[labels]
        self._rows = array("i", rows[kept].astype(np.int32).tobytes())
        self._labels = array("i", codes[labels[kept]].tobytes())
        self._boxes = array("d", self.boxes[kept].tobytes())
        self._confidence = array("f", self.confidence[kept].tobytes())

    def _code(self, label: str | None) -> int:
        if label is None or not (label := label.strip()):
            return UNLABELLED
        return self.classes.setdefault(label, len(self.classes))

    @property
    def left_out(self) -> list[LeftOut]:
        """What `leave` counted."""
        return [LeftOut(what, count, why) for why, (what, count) in self._left.items()]

    @property
    def rows(self) -> Int[np.ndarray, " n"]:
        """The picture of each row."""
        return np.frombuffer(self._rows, np.int32).astype(np.int64)

    @property
    def labels(self) -> Int[np.ndarray, " n"]:
        """The label of each row, `UNLABELLED` where it has none."""
        return np.frombuffer(self._labels, np.int32).astype(np.int64)

    @property
    def boxes(self) -> Float[np.ndarray, "n 4"]:
        """The box of each row as the file has it, NaN where it has none."""
        return np.frombuffer(self._boxes, np.float64).reshape(-1, 4)

    @property
    def confidence(self) -> Float[np.ndarray, " n"]:
        """How sure each row is, 1 where the file says nothing."""
        return np.frombuffer(self._confidence, np.float32)

    @property
    def sizes(self) -> Int[np.ndarray, "p 2"]:
        """Width and height of each picture as the file has them, 0 where it does not say."""
        return np.frombuffer(self._sizes, np.int32).reshape(-1, 2).astype(np.int64)
