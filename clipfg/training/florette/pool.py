"""florette's training images, drawn once, by several processes, into plain arrays."""

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipfg.data.synthflora import IMAGE_SIZE, draw, flower_at
from clipfg.data.synthflora.plant import grow
from clipfg.data.synthflora.taxonomy import ATTRIBUTES, Traits

PARTS = ("petals", "eye", "leaf", "leaf")
"""The parts, in the order of the pool's boxes."""

_CHUNK = 500  # images per task


@dataclass(frozen=True)
class TrainingImages:
    """Training images `[n, s, s, 3]`, their traits' codes `[n, 7]`, part boxes `[n, 4, 4]`.

    Boxes are `[x0, y0, x1, y1]` as fractions of the side, in the order of `PARTS`.
    """

    images: NDArray[np.uint8]
    codes: NDArray[np.int8]
    boxes: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.images)

    def traits(self, index: int) -> Traits:
        """The traits of one image's flower."""
        values = ATTRIBUTES.values()
        return Traits(*(v[c] for v, c in zip(values, self.codes[index].tolist(), strict=True)))

    def save(self, path: Path) -> None:
        """Save the pool for another run with the same seed."""
        np.savez(path, **vars(self))

    @classmethod
    def load(cls, path: Path) -> "TrainingImages":
        """Read a saved pool."""
        with np.load(path) as kept:
            return cls(**kept)


def _draw_chunk(seed: int, start: int, stop: int, side: int) -> TrainingImages:
    images = np.empty((stop - start, side, side, 3), dtype=np.uint8)
    codes = np.empty((stop - start, len(ATTRIBUTES)), dtype=np.int8)
    boxes = np.empty((stop - start, len(PARTS), 4), dtype=np.float32)
    for row, index in enumerate(range(start, stop)):
        flower = flower_at(seed, "pretrain", index)
        image = draw(flower, IMAGE_SIZE)
        # Via the data set's image size, so that training sees what preprocessing produces.
        images[row] = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
        codes[row] = flower.traits.codes()
        found = grow(flower).boxes()
        boxes[row] = [*found["petals"], *found["eye"], *found["leaf"]]
    return TrainingImages(images, codes, boxes.clip(0.0, 1.0))


def draw_pool(seed: int, count: int, side: int, workers: int) -> TrainingImages:
    """Draw the first `count` images of the split `pretrain` at `side` pixels.

    The result does not depend on the number of `workers`.
    """
    bounds = [(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    if workers <= 1:
        return _joined(_draw_chunk(seed, *bound, side) for bound in bounds)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes:
        tasks = [processes.submit(_draw_chunk, seed, *bound, side) for bound in bounds]
        return _joined(task.result() for task in tasks)


def _joined(chunks: Iterable[TrainingImages]) -> TrainingImages:
    parts = [vars(chunk) for chunk in chunks]
    return TrainingImages(**{name: np.concatenate([p[name] for p in parts]) for name in parts[0]})
