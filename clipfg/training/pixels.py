"""Images decoded once and kept as 8-bit pixels, so that training never waits for a decoder."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy.typing import NDArray
from torch import Tensor

from clipfg.data.images.decoding import decoded
from clipfg.data.sources import read
from clipfg.embedding.framing import Frame, Framing
from clipfg.embedding.image_loader import LoadedImage, shown, target_of
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.errors import ItemError, UsageError
from clipfg.memory import machine_memory
from clipfg.types import Failure, Manifest, Progress, content_hash

IN_MEMORY = 0.25
"""Share of the machine's memory that pixels may take; more of them go to a temporary file."""
TOGETHER = 64
"""Items that one decoding of their image serves, at most."""


@dataclass(frozen=True)
class Pixels:
    """The images of n items, resized and cropped as their encoder takes them.

    `rows` are the items' rows in the manifest, without those that could not be used. `boxes` are
    those of their regions, in pixels of `images`; `contents` the hashes of their files.
    """

    images: UInt8[Tensor, "n 3 h w"]
    rows: Int[Tensor, " n"]
    boxes: tuple[Float[Tensor, "_r 4"], ...]
    contents: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.images)


class _Item(NamedTuple):
    id: str
    uri: str
    frame: Frame | None
    regions: NDArray[np.float32]


def load_pixels(
    manifest: Manifest,
    preprocessing: Preprocessing,
    *,
    framing: Framing | None = None,
    workers: int = 2,
    progress: Progress | None = None,
    on_failure: Callable[[Failure], None] | None = None,
) -> Pixels:
    """Decode the images of a manifest; items that cannot be used are reported and left out.

    With `framing`, items are the parts of their images that `embed` would take them for. An image
    is decoded once for items of it that follow one another. Raises `UsageError` for preprocessing
    that gives images of many shapes.
    """
    if len({preprocessing.frame(*size) for size in ((64, 64), (64, 256), (256, 64))}) > 1:
        raise UsageError(
            "Fine-tuning needs an encoder that takes images of one size; this one takes any shape."
        )
    images = _room(len(manifest), *preprocessing.size)
    rows: list[int] = []
    boxes: list[Tensor] = []
    contents: list[bytes] = []
    with ThreadPoolExecutor(workers) as threads:
        loaded = threads.map(partial(_load, preprocessing), _by_image(manifest, framing))
        for row, one in enumerate(chain.from_iterable(loaded)):
            if isinstance(one, Failure):
                if on_failure is not None:
                    on_failure(one)
            else:
                images[len(rows)] = one[0].pixels
                boxes.append(one[0].boxes)
                contents.append(one[1])
                rows.append(row)
            if progress is not None:
                progress(row + 1, len(manifest))
    return Pixels(images[: len(rows)], torch.tensor(rows), tuple(boxes), tuple(contents))


def _by_image(manifest: Manifest, framing: Framing | None) -> Iterator[list[_Item]]:
    """The items in order, at most `TOGETHER` of one image at once."""
    none = [None] * len(manifest)
    frames = none if framing is None else framing.frames(manifest)
    regions = manifest.column("regions") or none
    items = (
        _Item(
            id_,
            uri,
            frame,
            np.array([one["box"] for one in own or ()], np.float32).reshape(-1, 4),
        )
        for id_, uri, frame, own in zip(manifest.ids, manifest.uris, frames, regions, strict=True)
    )
    for _, run in groupby(items, key=lambda item: item.uri):
        own = list(run)
        yield from (own[start : start + TOGETHER] for start in range(0, len(own), TOGETHER))


def _load(
    preprocessing: Preprocessing, items: Sequence[_Item]
) -> list[tuple[LoadedImage, bytes] | Failure]:
    """What is shown of one image for each of its items."""
    frames = [item.frame for item in items]
    found: list[tuple[LoadedImage, bytes] | Failure] = []
    try:
        data = read(items[0].uri)
        content, target = content_hash(data), partial(target_of, preprocessing, frames)
        with decoded(data, target, cut=not any(frames)) as image:
            for item in items:
                try:
                    one = shown(image, item.frame, item.regions, preprocessing)
                    found.append((one, content))
                except ItemError as error:
                    found.append(Failure(item.id, item.uri, "crop", str(error)))
    except Exception as error:  # a decoder's own mistake costs one image, not the run
        kind = "" if isinstance(error, ItemError) else f"{type(error).__name__}: "
        return [Failure(item.id, item.uri, "decode", f"{kind}{error}") for item in items]
    return found


def _room(count: int, height: int, width: int) -> UInt8[Tensor, "n 3 h w"]:
    """Memory for images, or a file that vanishes with the process where there is not enough."""
    shape = (count, 3, height, width)
    if np.prod(shape) <= IN_MEMORY * machine_memory():
        return torch.empty(shape, dtype=torch.uint8)
    with tempfile.TemporaryFile() as file:  # the mapping keeps it after it is closed
        return torch.from_numpy(np.memmap(file, dtype=np.uint8, mode="w+", shape=shape))
