"""Several views of each item, embedded as items of their own and pooled into one feature."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clipfg.embedding.batches import FeatureBatch
from clipfg.embedding.framing import MIRRORED
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.errors import UsageError
from clipfg.functional.objectness import object_box, object_map
from clipfg.registry import closest
from clipfg.types import Failure, Manifest, unit_norm

logger = logging.getLogger("clipfg")

AROUND = "around"
"""Stands for the view around the object, which differs from item to item."""

TILES = 2
SHARE = 0.875
"""Of the shorter side in a view of ten-crop: 224 of 256 pixels (Krizhevsky et al. 2012)."""

FIVE = tuple(f"corner:{x}:{y}:{SHARE}" for x, y in ((0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0.5)))

VIEWS: dict[str, tuple[str, ...]] = {
    "center": ("",),
    "pad": ("pad",),
    "squash": ("squash",),
    "tiles": tuple(
        f"tile:{row}:{column}:{TILES}" for row, column in product(range(TILES), repeat=2)
    ),
    "ten-crop": (*FIVE, *(MIRRORED + view for view in FIVE)),
    "attention-crop": (AROUND,),
}
"""What each kind of view shows: names that `framing.view_window` understands."""

WHOLE = ("center", "pad", "squash")
"""Kinds that show the whole picture, but for the edges that "center" leaves out."""


@dataclass(frozen=True)
class Views:
    """The views of each item. Two that an encoder cannot tell apart are one."""

    names: tuple[str, ...]
    """Of `VIEWS`, in the order of `kinds`."""
    shown: tuple[str, ...]
    kinds: tuple[str, ...]
    """The name that each of `shown` belongs to."""
    map_view: str
    """The view whose dense map says where the object is."""

    @classmethod
    def of(cls, names: str, preprocessing: Preprocessing) -> "Views | None":
        """The views of names joined by `+`; None where that is the center alone.

        Raises `UsageError` for an unknown name, for one that is named twice, and for "pad" and
        "squash" of an encoder that takes images of any shape.
        """
        chosen = tuple(name.strip() for name in names.split("+"))
        for name in chosen:
            if name not in VIEWS:
                raise UsageError(
                    f"Expected views joined by +, got {name!r}.{closest(name, VIEWS)} Known:"
                    f" {', '.join(VIEWS)}."
                )
            if chosen.count(name) > 1:
                raise UsageError(f"View {name!r} is named twice.")
        odd = [name for name in chosen if name in ("pad", "squash")]
        if odd and preprocessing.any_shape:
            raise UsageError(
                f"--views {odd[0]} is for encoders of square images; this one takes each image in"
                " its own shape, which is what center means here."
            )
        found: dict[str, str] = {}
        for name in chosen:
            for view in VIEWS[name]:
                own = "" if view == preprocessing.resize else view
                if own in found:
                    logger.info(f"Views {found[own]} and {name} are the same for this encoder")
                found.setdefault(own, name)
        if list(found) == [""]:
            return None
        return cls(chosen, tuple(found), tuple(found.values()), whole_view(preprocessing))

    def __len__(self) -> int:
        return len(self.shown)

    @property
    def passes(self) -> int:
        """Forward passes an item, with that for the dense map."""
        return len(self) + (self.needs_map and self.map_view not in self.shown)

    @property
    def needs_map(self) -> bool:
        """Whether a view depends on where the object is."""
        return AROUND in self.shown


def whole_view(preprocessing: Preprocessing) -> str:
    """The view that shows all of an image and fills the input; "" where the encoder's own does."""
    own = preprocessing.any_shape or preprocessing.resize == "squash"
    return "" if own else "squash"


class ViewItems:
    """A manifest as an item for each view of each item, and the way back."""

    def __init__(
        self, manifest: Manifest, views: Views, on_failure: Callable[[Failure], None]
    ) -> None:
        self._manifest = manifest
        self._views = views
        self._on_failure = on_failure
        self._around = [views.map_view] * len(manifest)
        self._failed = -1

    def __len__(self) -> int:
        return len(self._manifest)

    def whole(self) -> Manifest:
        """The items as the dense map is made of them."""
        return self._items([self._views.map_view] * len(self._manifest), 1)

    def look(self, batches: Iterator[FeatureBatch]) -> None:
        """Find the objects in the dense maps. An item without one fails later, by itself."""
        for batch in batches:
            assert batch.patches is not None
            for row, position in enumerate(batch.positions):
                box = object_box(object_map(torch.from_numpy(batch.patches[row])))
                # Rounded, so that the last bits of a map do not make another view of it.
                place = ":".join(f"{value:.3f}" for value in box.tolist())
                self._around[position] = f"{AROUND}:{place}"

    def items(self) -> Manifest:
        """An item for each view; those of one item follow one another."""
        shown = self._views.shown
        views = [
            self._around[row] if view == AROUND else view
            for row in range(len(self._manifest))
            for view in shown
        ]
        return self._items(views, len(shown))

    def _items(self, views: list[str], each: int) -> Manifest:
        table = self._manifest.table
        rows = np.repeat(np.arange(len(table)), each)
        columns: dict[str, Any] = {"id": [str(row) for row in range(len(rows))]}
        for name in ("uri", "box"):
            if name in table.column_names:
                columns[name] = table[name].take(rows)
        return Manifest.build(self._manifest.name, columns | {"view": views})

    def fail(self, failure: Failure) -> None:
        """Report an item when the first of its views fails."""
        if (position := int(failure.id) // len(self._views)) != self._failed:
            self._failed = position
            identity = self._manifest.table["id"][position].as_py()
            self._on_failure(replace(failure, id=identity))

    def batches(self, found: Iterator[FeatureBatch]) -> Iterator[FeatureBatch]:
        """The items with the mean of their views, and all of these; without those that failed."""
        manifest, views, each = self._manifest, self._views, len(self._views)
        ids, labels, bags = manifest.ids, manifest.labels, manifest.bags
        left_items = np.empty(0, dtype=np.int64)
        left: NDArray[np.float32] | None = None
        reused = told = 0
        for batch in found:
            items = np.concatenate([left_items, batch.positions // each])
            vectors = batch.vectors if left is None else np.concatenate([left, batch.vectors])
            reused += batch.reused
            last = items[-1] if (items == items[-1]).sum() < each else -1
            left_items, left = items[items == last], vectors[items == last]
            positions, counts = np.unique(items[items != last], return_counts=True)
            complete = positions[counts == each]
            if len(complete):
                kept = vectors[np.isin(items, complete)].reshape(len(complete), each, -1)
                yield FeatureBatch(
                    positions=complete,
                    ids=tuple(ids[at] for at in complete),
                    vectors=mean_of_kinds(kept, views.kinds),
                    labels=labels[complete],
                    reused=reused // each - told,
                    bags=None if bags is None else bags[complete],
                    views=kept,
                )
                told = reused // each


def mean_of_kinds(views: NDArray[np.float32], kinds: Sequence[str]) -> NDArray[np.float32]:
    """The unit-norm sum `[n, d]` of the mean feature of each kind of view, of views `[n, v, d]`.

    Each kind counts alike, however many views it has; one whose views differ counts less, as its
    mean is shorter.
    """
    if len(kinds) == 1:
        return views[:, 0]
    sizes = Counter(kinds)
    weights = np.array([1 / sizes[kind] for kind in kinds], dtype=np.float32)
    return unit_norm(np.einsum("nvd,v->nd", views, weights))
