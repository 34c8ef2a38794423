"""One item on its way through the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipfg.data.sources import Signature
from clipfg.embedding.cached_features import ImageKey, ItemFeatures
from clipfg.embedding.framing import Frame
from clipfg.types import Failure, content_hash


@dataclass(slots=True, eq=False)
class ImageRow:
    """One item on its way through the pipeline: its metadata and, in the end, its outcome."""

    position: int
    id: str
    uri: str
    label: int
    frame: Frame | None = None
    """The part of the image that the item is; None for all of it."""
    boxes: NDArray[np.float32] | None = None
    """Of its regions `[r, 4]`, in pixels of the upright image; None where none are asked for."""
    phrases: tuple[str | None, ...] = ()
    signature: Signature | None = None
    settled: bool = False
    """Whether the signature will change with the bytes (`cache.is_settled`)."""
    content: bytes | None = None
    """The hash of the image's bytes."""
    key: ImageKey | None = None
    outcome: ItemFeatures | Failure | None = None
    reused: bool = False

    def fail(self, stage: str, reason: str) -> None:
        """End the row with a failure."""
        self.outcome = Failure(self.id, self.uri, stage, reason)

    def key_for(self, content: bytes) -> ImageKey:
        """What its features are known by once its content is known."""
        shown = content if self.frame is None else content_hash(content + self.frame.tag)
        return shown if self.boxes is None else shown + self.boxes.tobytes()
