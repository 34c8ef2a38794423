"""The work of one thread beside the encoder: read an image, hash it, decode and resize it."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from clipfg.data.images.decoding import decode
from clipfg.data.sources import Signature, read
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.errors import ItemError
from clipfg.types import Failure

Vector = NDArray[np.float32]


@dataclass(slots=True, eq=False)
class ImageRow:
    """One item on its way: what is known of it, and its outcome once there is one."""

    position: int
    id: str
    uri: str
    label: int
    signature: Signature | None = None
    settled: bool = False
    content: bytes | None = None
    outcome: Vector | Failure | None = None
    reused: bool = False

    def fail(self, stage: str, reason: str) -> None:
        """Close the row with a failure."""
        self.outcome = Failure(self.id, self.uri, stage, reason)


@dataclass(slots=True)
class ImageLoader:
    """Hands out each content once: rows that share one while it is in flight wait for its outcome.

    Parameters
    ----------
    preprocessing
        What a decoded image goes through.
    kept
        Content hash to the embedding that is kept of it, or None.
    """

    preprocessing: Preprocessing
    kept: Callable[[bytes], Vector | None]
    _waiting: dict[bytes, list[ImageRow]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fetch(self, row: ImageRow) -> UInt8[Tensor, "3 h w"] | None:
        """The pixels of a row, or None when there is nothing to encode for it.

        That is when it failed, when its content turned out to be kept, or when another row with
        the same content is in flight and will settle this one too.
        """
        try:
            data = read(row.uri)
        except ItemError as error:
            row.fail("read", str(error))
            return None
        content = row.content = hashlib.blake2b(data, digest_size=16).digest()
        with self._lock:
            if content in self._waiting:
                self._waiting[content].append(row)
                return None
            self._waiting[content] = [row]
        vector = self.kept(content)
        if vector is not None:
            self.settle(content, vector, reused=True)
            return None
        try:
            return self.preprocessing(decode(data, self.preprocessing.target))
        except ItemError as error:
            self.settle(content, ("decode", str(error)))
        except Exception as error:  # a decoder's own mistake costs one image, not the run
            self.settle(content, ("decode", f"{type(error).__name__}: {error}"))
        return None

    def settle(
        self, content: bytes, outcome: Vector | tuple[str, str], reused: bool = False
    ) -> None:
        """Give every row that waits for `content` its vector, or a stage and reason of failure."""
        with self._lock:
            rows = self._waiting.pop(content, [])
        for place, row in enumerate(rows):
            if isinstance(outcome, tuple):
                row.fail(*outcome)
            else:
                row.reused = reused or place > 0
                row.outcome = outcome
