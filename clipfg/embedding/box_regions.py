"""Items that are boxes, read from the dense map of their image: one forward pass an image."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from math import isfinite

import numpy as np
import pyarrow as pa

from clipfg.embedding.batches import FeatureBatch
from clipfg.embedding.views import whole_view
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.types import COLUMNS, Failure, Manifest

EMPTY = [0.0, 0.0, 0.0, 0.0]

UNSEEN = (
    "Expected a box x0, y0, x1, y1 with an area in its image, where the encoder sees something, got"
    " {}; is it x, y, width, height, or of another size of the image?"
)


class BoxRegions:
    """A manifest with a box an item, and the images that these are parts of.

    The feature of an item is that of its box, or where it has none of the image, as if it were
    embedded alone.
    """

    def __init__(
        self,
        manifest: Manifest,
        preprocessing: Preprocessing,
        on_failure: Callable[[Failure], None],
    ) -> None:
        self._manifest = manifest
        self._on_failure = on_failure
        self._view = whole_view(preprocessing)
        boxes = manifest.column("box") or [None] * len(manifest)
        self._boxes = [box if box is None or all(map(isfinite, box)) else EMPTY for box in boxes]
        rows = enumerate(zip(manifest.uris, (box is None for box in boxes), strict=True))
        self._items = [[at for at, _ in run] for _, run in groupby(rows, lambda row: row[1])]

    @property
    def images(self) -> Manifest:
        """An item for each image, with its boxes as regions; its id is its number.

        Those with boxes are shown whole, not cropped, so that every box is seen.
        """
        uris = self._manifest.uris
        regions = [
            [{"box": self._boxes[at], "phrase": None} for at in items if self._boxes[at]]
            for items in self._items
        ]
        columns = {
            "id": [str(number) for number in range(len(self._items))],
            "uri": [uris[items[0]] for items in self._items],
            "regions": pa.array(regions, COLUMNS["regions"]),
            "view": [self._view if own else "" for own in regions],
        }
        return Manifest.build(self._manifest.name, columns)

    def fail(self, failure: Failure) -> None:
        """Report the items of an image that failed."""
        ids = self._manifest.table["id"]
        for at in self._items[int(failure.id)]:
            self._on_failure(replace(failure, id=ids[at].as_py()))

    def batches(self, images: Iterator[FeatureBatch]) -> Iterator[FeatureBatch]:
        """The items' features; one whose box is not seen fails."""
        ids, labels, bags = self._manifest.ids, self._manifest.labels, self._manifest.bags
        for batch in images:
            kept: list[int] = []
            vectors = []
            for row, image in enumerate(batch.positions):
                assert batch.regions is not None
                regions = iter(batch.regions[row])
                for at in self._items[image]:
                    vector = next(regions) if self._boxes[at] else batch.vectors[row]
                    if vector.any():
                        kept.append(at)
                        vectors.append(vector)
                    else:
                        box = ", ".join(f"{value:g}" for value in self._boxes[at])
                        uri = self._manifest.table["uri"][at].as_py()
                        self._on_failure(Failure(ids[at], uri, "crop", UNSEEN.format(box)))
            if kept:
                positions = np.array(kept)
                yield FeatureBatch(
                    positions=positions,
                    ids=tuple(ids[at] for at in kept),
                    vectors=np.stack(vectors),
                    labels=labels[positions],
                    reused=batch.reused,
                    bags=None if bags is None else bags[positions],
                )
