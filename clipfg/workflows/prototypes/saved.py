"""A head of patch prototypes from a file, with the images of its support that show them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from clipfg.data.images.decoding import decode
from clipfg.data.sources import read
from clipfg.embedding.framing import Crop, Framing
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.errors import DataError, UsageError
from clipfg.explaining.placement import Placement
from clipfg.functional.windows import Window, square_window, window_size
from clipfg.heads import FeatureSets, Head
from clipfg.heads.patch_prototypes import PatchPrototypes
from clipfg.heads.saving import SavedHead, load_head
from clipfg.types import ClassList
from clipfg.workflows.answers import confidence_of
from clipfg.workflows.pool import FeaturePool

EXTRA = "examples"
"""Under what name a saved head carries the images of its examples."""
AROUND = 1.0
"""What is shown around an example's patch on each side, as a share of the patch."""
SIDE = 112
"""The side of an example's picture in pixels."""


@dataclass(frozen=True)
class Examples:
    """Images of a support by their numbers in it, each with its grid and, maybe, box."""

    numbers: list[int]
    uris: list[str]
    grids: list[list[int]]
    boxes: list[list[float] | None]
    crop: Crop

    @classmethod
    def of(
        cls, numbers: list[int], support: FeaturePool, rows: NDArray[np.intp], crop: Crop
    ) -> Self:
        """Some of those that a head has learnt from, the `rows` of a pool of images."""
        assert support.patches is not None
        assert support.patches.grids is not None
        at = [int(rows[number]) for number in numbers]
        boxes = support.boxes or {}
        return cls(
            numbers=numbers,
            uris=[support.uris[row] for row in at],
            grids=[support.patches.grids[row].tolist() for row in at],
            boxes=[boxes.get(support.ids[row]) for row in at],
            crop=crop,
        )

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """What `to_fields` wrote. Raises `DataError` for anything else."""
        try:
            return cls(**fields)
        except TypeError:
            raise DataError(
                "Expected a head with the images that show its prototypes, got one without; save it"
                " by `clipfg fewshot --heads patch-prototypes --save FILE`."
            ) from None

    def to_fields(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)

    def picture(self, number: int, patch: int, preprocessing: Preprocessing) -> Image.Image:
        """A patch of an image with what is around it. Raises `ItemError` for an image that has
        gone.
        """
        at = self.numbers.index(number)
        image = decode(read(self.uris[at]))
        frame = Framing(self.crop).frame(self.boxes[at], None)
        whole = (0.0, 0.0, float(image.width), float(image.height))
        window = frame.window(*image.size) if frame else whole
        box = _patch_box(patch, self.grids[at], window, preprocessing)
        shown = square_window(box, *image.size, AROUND)
        scale = SIDE / max(window_size(shown))
        wide, high = (max(1, round(side * scale)) for side in window_size(shown))
        picture = image.resize((wide, high), Image.Resampling.BICUBIC, shown)
        corners = [(value - shown[axis % 2]) * scale for axis, value in enumerate(box)]
        pen = ImageDraw.Draw(picture)
        for width, colour in ((3, "white"), (1, "black")):
            pen.rectangle(corners, outline=colour, width=width)
        return picture


def _patch_box(patch: int, grid: list[int], window: Window, preprocessing: Preprocessing) -> Window:
    """A patch in pixels of the image of which the encoder was shown a window."""
    placement = Placement.of(preprocessing, window_size(window), (grid[0], grid[1]))
    row, column = divmod(patch, grid[1])
    x0, y0, x1, y1 = placement.window
    wide, high = (x1 - x0) / grid[1], (y1 - y0) / grid[0]
    left, top = window[0] + x0 + column * wide, window[1] + y0 + row * high
    return left, top, left + wide, top + high


@dataclass(frozen=True)
class PrototypeHead:
    """A head of patch prototypes, its classes, and the images that show them."""

    head: PatchPrototypes
    classes: ClassList
    examples: Examples
    saved: SavedHead

    @classmethod
    def load(cls, path: Path) -> Self:
        """From the file of `clipfg fewshot --save`. Raises `UsageError` for another head."""
        saved = load_head(path)
        head = prototypes_of(saved.head)
        if saved.classes is None:
            raise DataError(f"Expected a head with class names, {path} has none.")
        return cls(head, saved.classes, Examples.from_fields(saved.extras.get(EXTRA, {})), saved)

    def within(self, node: str | None, least: int) -> Self:
        """The classes below a node of the taxonomy, or those named, at least so many; all for None.

        Raises `UsageError` as `ClassList.below` does.
        """
        if node is None:
            return self
        names = self.classes.below(node, least)
        columns = [self.classes.index(name) for name in names]
        return replace(self, head=self.head.among(columns), classes=self.classes.only(names))

    def probabilities(self, patches: FeatureSets) -> Float[Tensor, "n c"]:
        """Of the classes; calibrated where the file says how, and nothing is switched off."""
        confidence = confidence_of(self.saved)
        logits = self.head.logits(patches)
        if confidence is not None and not self.head.off_:
            logits = confidence.calibrated(logits)
        return logits.softmax(dim=1)


def prototypes_of(head: Head[Any]) -> PatchPrototypes:
    """The head itself. Raises `UsageError` for a head without prototypes."""
    if isinstance(head, PatchPrototypes):
        return head
    raise UsageError(
        f"Expected a head of patch prototypes, got {head.name}; save one by `clipfg fewshot --heads"
        " patch-prototypes --save FILE`."
    )


def parse_without(text: str) -> list[int]:
    """`"17,23"` as numbers. Raises `UsageError` for anything else."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(
            f"Expected --without to be numbers of prototypes, such as 17,23, got {text!r}."
        ) from None
