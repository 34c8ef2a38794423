"""What an annotation file says of pictures, row by row, in little memory."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from clipfg.data.readers.boxes import BoxFormat
from clipfg.types import UNLABELLED, LeftOut, Role

NO_BOX = (float("nan"),) * 4


@dataclass
class Annotations:
    """Pictures as a file names them, and rows of a picture with a label, a box, or both."""

    form: str
    """What the file is: "COCO instances"."""
    source: Path
    """The file, or the folder of files, that this was read from."""
    boxes_are: BoxFormat | None = None
    """What the numbers of a box mean; None for a form that cannot have boxes."""
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
        """A row: a picture, or a box in it, with a label or without."""
        code = UNLABELLED
        if label is not None and (label := label.strip()):
            code = self.classes.setdefault(label, len(self.classes))
        self._rows.append(picture)
        self._labels.append(code)
        self._boxes.extend(NO_BOX if box is None else box)
        self._confidence.append(confidence)

    def leave(self, what: str, why: str) -> None:
        """Count something that is not used; the first of each kind is named."""
        first, count = self._left.get(why, (what, 0))
        self._left[why] = first, count + 1

    @property
    def left_out(self) -> list[LeftOut]:
        """What `leave` counted."""
        return [LeftOut(what, count, why) for why, (what, count) in self._left.items()]

    @property
    def rows(self) -> Int[np.ndarray, "n"]:
        """The picture of each row."""
        return np.frombuffer(self._rows, np.int32).astype(np.int64)

    @property
    def labels(self) -> Int[np.ndarray, "n"]:
        """The label of each row, `UNLABELLED` where it has none."""
        return np.frombuffer(self._labels, np.int32).astype(np.int64)

    @property
    def boxes(self) -> Float[np.ndarray, "n 4"]:
        """The box of each row as the file has it, NaN where it has none."""
        return np.frombuffer(self._boxes, np.float64).reshape(-1, 4)

    @property
    def confidence(self) -> Float[np.ndarray, "n"]:
        """How sure each row is, 1 where the file says nothing."""
        return np.frombuffer(self._confidence, np.float32)

    @property
    def sizes(self) -> Int[np.ndarray, "p 2"]:
        """Width and height of each picture as the file has them, 0 where it does not say."""
        return np.frombuffer(self._sizes, np.int32).reshape(-1, 2).astype(np.int64)
