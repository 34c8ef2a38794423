"""Images decoded once and kept as 8-bit pixels, so that training never waits for a decoder."""

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from clipfg.data.images.decoding import decoded, full_size
from clipfg.data.sources import read
from clipfg.embedding.framing import boxes_inside
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.errors import ItemError, UsageError
from clipfg.memory import machine_memory
from clipfg.types import Failure, Manifest, Progress, content_hash

IN_MEMORY = 0.25
"""Share of the machine's memory that pixels may take; more of them go to a temporary file."""


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


def load_pixels(
    manifest: Manifest,
    preprocessing: Preprocessing,
    *,
    workers: int = 2,
    progress: Progress | None = None,
    on_failure: Callable[[Failure], None] | None = None,
) -> Pixels:
    """Decode all images of a manifest; those that cannot be used are reported and left out.

    Raises `UsageError` for preprocessing that gives images of many shapes.
    """
    if len({preprocessing.frame(*size) for size in ((64, 64), (64, 256), (256, 64))}) > 1:
        raise UsageError(
            "Fine-tuning needs an encoder that takes images of one size; this one takes any shape."
        )
    images = _room(len(manifest), *preprocessing.size)
    regions = manifest.column("regions") or [None] * len(manifest)
    rows: list[int] = []
    boxes: list[Tensor] = []
    contents: list[bytes] = []
    jobs = zip(manifest.ids, manifest.uris, regions, strict=True)
    with ThreadPoolExecutor(workers) as threads:
        loaded = threads.map(partial(_load, preprocessing=preprocessing), *zip(*jobs, strict=True))
        for row, one in enumerate(loaded):
            if isinstance(one, Failure):
                if on_failure is not None:
                    on_failure(one)
            else:
                images[len(rows)] = one[0]
                boxes.append(one[1])
                contents.append(one[2])
                rows.append(row)
            if progress is not None:
                progress(row + 1, len(manifest))
    return Pixels(images[: len(rows)], torch.tensor(rows), tuple(boxes), tuple(contents))


def _load(
    id_: str, uri: str, regions: Sequence[dict] | None, *, preprocessing: Preprocessing
) -> tuple[Tensor, Tensor, bytes] | Failure:
    try:
        data = read(uri)
        with decoded(data, preprocessing.target) as image:
            size = full_size(image)
            pixels = preprocessing(image)
    except Exception as error:  # a decoder's own mistake costs one image, not the run
        kind = "" if isinstance(error, ItemError) else f"{type(error).__name__}: "
        return Failure(id_, uri, "decode", f"{kind}{error}")
    boxes = torch.tensor([one["box"] for one in regions or ()], dtype=torch.float32).view(-1, 4)
    return pixels, preprocessing.map_boxes(boxes_inside(boxes, *size), *size), content_hash(data)


def _room(count: int, height: int, width: int) -> UInt8[Tensor, "n 3 h w"]:
    """Memory for images, or a file that vanishes with the process where there is not enough."""
    shape = (count, 3, height, width)
    if np.prod(shape) <= IN_MEMORY * machine_memory():
        return torch.empty(shape, dtype=torch.uint8)
    with tempfile.TemporaryFile() as file:  # the mapping keeps it after it is closed
        return torch.from_numpy(np.memmap(file, dtype=np.uint8, mode="w+", shape=shape))
