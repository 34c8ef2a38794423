"""What one thread does beside the encoder: read an image, hash it, decode and resize it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from clipfg.data.images.decoding import decode, full_size
from clipfg.data.sources import Signature, read
from clipfg.embedding.cached_features import ImageKey, ItemFeatures
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.errors import ItemError
from clipfg.types import Failure, content_hash


@dataclass(slots=True, eq=False)
class ImageRow:
    """One item on its way through the pipeline: its metadata and, in the end, its outcome."""

    position: int
    id: str
    uri: str
    label: int
    boxes: NDArray[np.float32] | None = None
    """Of its regions `[r, 4]`, in pixels of the upright image; None where none are asked for."""
    phrases: tuple[str | None, ...] = ()
    signature: Signature | None = None
    settled: bool = False
    """Whether the signature will change with the bytes (`cache.is_settled`)."""
    key: ImageKey | None = None
    outcome: ItemFeatures | Failure | None = None
    reused: bool = False

    def fail(self, stage: str, reason: str) -> None:
        """End the row with a failure."""
        self.outcome = Failure(self.id, self.uri, stage, reason)

    def key_for(self, content: bytes) -> ImageKey:
        """What its features are known by once its content is known."""
        return content if self.boxes is None else content + self.boxes.tobytes()


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An image as the encoder takes it, and its boxes in pixels of that."""

    pixels: UInt8[Tensor, "3 h w"]
    boxes: Float[Tensor, "r 4"]


@dataclass(slots=True)
class ImageLoader:
    """Loads each image once: rows of an image that is in flight wait for its outcome."""

    preprocessing: Preprocessing
    kept: Callable[[ImageKey], ItemFeatures | None]
    """The features kept of an image, or None."""
    _waiting: dict[ImageKey, list[ImageRow]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fetch(self, row: ImageRow) -> LoadedImage | None:
        """The image of a row, or None when there is nothing to encode for it.

        That is when it failed, when its features turn out to be kept, or when another row of the
        same image is in flight and will settle this one too.
        """
        try:
            data = read(row.uri)
        except ItemError as error:
            row.fail("read", str(error))
            return None
        key = row.key = row.key_for(content_hash(data))
        with self._lock:
            if key in self._waiting:
                self._waiting[key].append(row)
                return None
            self._waiting[key] = [row]
        if (kept := self.kept(key)) is not None:
            self.settle(key, kept, reused=True)
            return None
        try:
            return self._load(data, row.boxes)
        except Exception as error:  # a decoder's own mistake costs one image, not the run
            kind = "" if isinstance(error, ItemError) else f"{type(error).__name__}: "
            self.settle(key, ("decode", f"{kind}{error}"))
        return None

    def _load(self, data: bytes, boxes: NDArray[np.float32] | None) -> LoadedImage:
        image = decode(data, self.preprocessing.target)
        mapped = torch.empty(0, 4)
        if boxes is not None:
            mapped = self.preprocessing.map_boxes(torch.from_numpy(boxes), *full_size(image))
        return LoadedImage(self.preprocessing(image), mapped)

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
