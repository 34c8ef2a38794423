"""Whether a fast number format is accurate enough, measured on the run's own images."""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.pipeline import collect
from clipfg.encoders.precision import can_quantise, cpu_name
from clipfg.types import Manifest

if TYPE_CHECKING:
    from clipfg.encoders.base import Encoder

IMAGES = 16
"""Number of images on which the formats are compared."""

LOWEST_COSINE = 0.995
"""The lowest cosine of any image at which the fast format is used.

Measured in bf16: 0.99994 for a ViT-B-32, 0.9984 for a MobileNetV2 (450 bird images; the nearest
other image lies at 0.68 on average, and stays the nearest for 98.7 % of them). A format that
overflows or is emulated badly falls far below. The threshold is three times the error of the worst
sound format.
"""

ENOUGH = 500
"""Images of a run for which it is worth to export a tower for int8."""
WORTH = 1.2
"""How many times as fast as float32 int8 has to be."""
ROUNDS, RACED = 3, 8
"""Of the race, and the images of each."""


@dataclass(frozen=True)
class PrecisionAgreement:
    """How closely features in the fast format `precision` agree with those in float32.

    `lowest` and `mean` are of the cosine similarity of the two features of each image. `speed` is
    how many times as fast as float32 the format is, where that has to be measured.
    """

    precision: str
    lowest: float
    mean: float
    images: int
    speed: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether every image reaches `LOWEST_COSINE`, at a speed that is `WORTH` it."""
        return self.lowest >= LOWEST_COSINE and (self.speed is None or self.speed >= WORTH)

    def __str__(self) -> str:
        # Rounded down, so that 0.99996 does not read as 1.
        lowest = np.floor(self.lowest * 1e4) / 1e4
        finding = f"cosine at least {lowest:.4f} on {self.images} images"
        if self.speed is not None:
            finding += f", {self.speed:.1f} times as fast"
        if self.accepted:
            return f"{self.precision} agrees with float32: {finding}"
        if self.lowest >= LOWEST_COSINE:
            return f"{self.precision} is not worth it ({finding}), so float32 is used"
        return f"{self.precision} disagrees with float32 ({finding}), so float32 is used"


def settle_precision(
    encoder: Encoder, manifest: Manifest, cache: EmbeddingCache | None
) -> tuple[Encoder, PrecisionAgreement | None]:
    """The encoder to use, in its own format or in float32, and the agreement that was measured.

    For an encoder whose precision was chosen automatically. Where that is float32, int8 is tried
    on CPUs, for runs of `ENOUGH` images or where it was tried before. The result is kept in the
    cache under the encoder's fingerprint, as are the embeddings that it was measured on. The
    agreement is None for float32 itself, and when none of the first images can be read.
    """
    key = f"precision/{encoder.fingerprint}"
    if encoder.precision == "fp32":
        if not str(encoder.device).startswith("cpu") or encoder.any_shape or not can_quantise():
            return encoder, None
        exact, encoder = encoder, encoder.at("int8")
        key = f"precision/{encoder.fingerprint}/{cpu_name()}"
        if len(manifest) < ENOUGH and (cache is None or not cache.fact(key)):
            return exact, None
    agreement: PrecisionAgreement | None = None
    if cache is not None and (kept := cache.fact(key)):
        with suppress(ValueError, TypeError):  # written by another version, so measured again
            agreement = PrecisionAgreement(**json.loads(kept))
    # A result from fewer images than there are now is measured again; their embeddings are cached.
    if agreement is None or agreement.images < min(IMAGES, len(manifest)):
        agreement = measure_agreement(encoder, manifest, cache)
        if agreement is None:
            return encoder, None
        if cache is not None:
            cache.put_fact(key, json.dumps(asdict(agreement)))
    return (encoder if agreement.accepted else encoder.at("fp32")), agreement


def measure_agreement(
    encoder: Encoder, manifest: Manifest, cache: EmbeddingCache | None
) -> PrecisionAgreement | None:
    """Compare the encoder with itself in float32 on the first images; None if none can be read."""
    first = replace(manifest, table=manifest.table.slice(0, IMAGES))
    fast = collect(first, encoder, cache)
    exact = collect(first, encoder.at("fp32"), cache)
    if not exact.ids:
        return None
    rows = dict(zip(fast.ids, fast.pooled, strict=True))
    # An image that only float32 can embed counts as a cosine of 0.
    cosines = [
        float(np.einsum("d,d->", rows[id], row, dtype=np.float64)) if id in rows else 0.0
        for id, row in zip(exact.ids, exact.pooled, strict=True)
    ]
    return PrecisionAgreement(
        encoder.precision,
        min(*cosines, 1.0),
        float(np.mean(cosines)),
        len(cosines),
        _speed(encoder) if encoder.precision == "int8" else None,
    )


def _speed(encoder: Encoder) -> float:
    """How many times as fast as in float32 images are encoded: the best of rounds in turns."""
    import torch

    pixels = torch.zeros(RACED, 3, *encoder.preprocessing.size, dtype=torch.uint8)
    runners = (encoder.at("fp32"), encoder)
    best = [math.inf, math.inf]
    for _ in range(ROUNDS):
        for number, runner in enumerate(runners):
            started = time.perf_counter()
            runner.encode_images(pixels)
            best[number] = min(best[number], time.perf_counter() - started)
    return best[0] / best[1]
