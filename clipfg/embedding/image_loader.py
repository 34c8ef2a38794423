"""What one thread does beside the encoder: read an image, hash it, decode it, cut and resize it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from PIL import Image

from clipfg.data.images.decoding import decoded, full_size
from clipfg.data.sources import read
from clipfg.embedding.cached_features import ImageKey, ItemFeatures
from clipfg.embedding.framing import Frame, boxes_inside
from clipfg.embedding.image_row import ImageRow
from clipfg.errors import ItemError
from clipfg.functional.windows import window_size
from clipfg.types import content_hash

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, UInt8
    from numpy.typing import NDArray
    from torch import Tensor

    from clipfg.encoders.preprocessing import Preprocessing

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An image as the encoder takes it, and its boxes in pixels of that."""

    pixels: UInt8[Tensor, "3 h w"]
    boxes: Float[Tensor, "r 4"]

    def mirrored(self) -> LoadedImage:
        """Left and right exchanged."""
        import torch

        x0, y0, x1, y1 = self.boxes.T
        width = self.pixels.shape[-1]
        boxes = torch.stack([width - x1, y0, width - x0, y1], dim=1)
        return LoadedImage(self.pixels.flip(-1), boxes)


@dataclass(slots=True)
class ImageLoader:
    """Loads each image once: rows of an image that is in flight wait for its outcome."""

    preprocessing: Callable[[], Preprocessing]
    """The encoder's, asked for when an image is to be encoded."""
    kept: Callable[[ImageKey], ItemFeatures | None]
    """The features kept of an image, or None."""
    _waiting: dict[ImageKey, list[ImageRow]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _said: bool = False

    def fetch(self, rows: Sequence[ImageRow]) -> dict[int, LoadedImage]:
        """What to encode for the rows of one image, by position; it is read and decoded once.

        There is nothing for a row that failed, whose features turn out to be kept, or that waits
        for another row with the same key.
        """
        try:
            data = read(rows[0].uri)
        except ItemError as error:
            for row in rows:
                row.fail("read", str(error))
            return {}
        content = content_hash(data)
        wanted = {key: row for row in rows if (key := self._claim(row, content))}
        if not wanted:
            return {}
        resizing = self.preprocessing()
        try:
            return self._load(data, wanted, resizing)
        except Exception as error:  # a decoder's own mistake costs one image, not the run
            kind = "" if isinstance(error, ItemError) else f"{type(error).__name__}: "
            for key in wanted:
                self.settle(key, ("decode", f"{kind}{error}"))
        return {}

    def _claim(self, row: ImageRow, content: bytes) -> ImageKey | None:
        """The key of a row that is to be encoded, or None where its outcome is known or awaited."""
        row.content = content
        key = row.key = row.key_for(content)
        with self._lock:
            if key in self._waiting:
                self._waiting[key].append(row)
                return None
            self._waiting[key] = [row]
        if (kept := self.kept(key)) is not None:
            self.settle(key, kept, reused=True)
            return None
        return key

    def _load(
        self, data: bytes, rows: Mapping[ImageKey, ImageRow], resizing: Preprocessing
    ) -> dict[int, LoadedImage]:
        frames = [row.frame for row in rows.values()]
        whole = not any(frames)
        loaded = {}
        with decoded(data, partial(target_of, resizing, frames), cut=whole) as image:
            self._say_bits(image, next(iter(rows.values())).uri)
            for key, row in rows.items():
                try:
                    loaded[row.position] = shown(image, row.frame, row.boxes, resizing)
                except ItemError as error:
                    self.settle(key, ("crop", str(error)))
        return loaded

    def _say_bits(self, image: Image.Image, uri: str) -> None:
        bits = image.info.get("bits")
        with self._lock:
            first, self._said = bits is not None and not self._said, self._said or bits is not None
        if first:
            _log.info(f"Pictures with few bits in 16 are scaled by those: {uri} has {bits}")

    def settle(
        self, key: ImageKey, outcome: ItemFeatures | tuple[str, str], reused: bool = False
    ) -> None:
        """Give every row that waits for an image its features, or a failure's stage and reason."""
        with self._lock:
            rows = self._waiting.pop(key, [])
        for place, row in enumerate(rows):
            if isinstance(outcome, tuple):
                row.fail(*outcome)
            else:
                row.reused = reused or place > 0
                row.outcome = outcome


def shown(
    image: Image.Image,
    frame: Frame | None,
    boxes: NDArray[np.float32] | None,
    resizing: Preprocessing,
) -> LoadedImage:
    """The part of an image that a frame names, as the encoder takes it, and boxes in that.

    Raises `ItemError` for a frame that is no part of the image.
    """
    import torch

    size, window, inside = full_size(image), None, torch.empty(0, 4)
    if boxes is not None:
        inside = boxes_inside(torch.from_numpy(boxes), *size)
    if frame is not None:
        window = frame.window(*size)
        size = window_size(window)
        resizing = replace(resizing, resize=frame.resize or resizing.resize)
        inside = inside - inside.new_tensor([*window[:2]] * 2)
    loaded = LoadedImage(resizing(image, window), resizing.map_boxes(inside, *size))
    return loaded.mirrored() if frame is not None and frame.mirrored else loaded


def target_of(
    resizing: Preprocessing, frames: Sequence[Frame | None], width: int, height: int
) -> tuple[int, int]:
    """The size of a whole image at which each of its frames has the size that is used."""
    wide = high = 1
    for frame in frames:
        part = (width, height)
        if frame is not None:
            try:
                part = window_size(frame.window(width, height))
            except ItemError:
                continue  # told when the image is there
        used = resizing.target(*part)
        wide = max(wide, round(width * used[0] / part[0]))
        high = max(high, round(height * used[1] / part[1]))
    return wide, high
