"""Memory is bounded by the look-ahead and not by the number of items."""

import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.image_loader import ImageLoader
from clipfg.embedding.image_row import ImageRow
from clipfg.embedding.pipeline import embed
from clipfg.encoders.base import ImageFeatures
from clipfg.types import Manifest
from tests.embedding.counting_encoder import CountingEncoder


def numbered(count: int) -> Manifest:
    return Manifest.build("numbered", {"uri": [f"/numbered/{i:06}.bmp" for i in range(count)]})


def resident() -> float:
    """MiB in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_a_hundred_thousand_kept_rows_stream(
    cache: EmbeddingCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipfg.embedding.scanning.look_at", lambda uri: ((1, 0), True))
    manifest, encoder = numbered(100_000), CountingEncoder()
    row = np.full(64, 1 / 8, dtype=np.float32)
    uris = manifest.uris
    for start in range(0, len(manifest), 5000):
        contents = [i.to_bytes(16) for i in range(start, start + 5000)]
        files = [(uris[start + i], (1, 0), content) for i, content in enumerate(contents)]
        cache.put("images", encoder.fingerprint, "x", dict.fromkeys(contents, row), files)
    before = most = resident()
    rows = 0
    for batch in embed(manifest, encoder, cache):
        rows += len(batch)
        most = max(most, resident())
    assert rows == 100_000
    assert encoder.loads == 0
    assert most - before < 64  # a hundred thousand rows of 64 floats alone would be 26


def test_few_images_are_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the encoder, no more are decoded than the look-ahead and one batch."""
    lock = threading.Lock()
    decoded = encoded = most = 0
    fetch, encode = ImageLoader.fetch, CountingEncoder.encode_images

    def read(uri: str) -> bytes:
        pixels = np.random.default_rng(int(uri[-10:-4])).integers(0, 256, (9, 9, 3), np.uint8)
        sink = io.BytesIO()
        Image.fromarray(pixels).save(sink, "BMP")
        return sink.getvalue()

    def counted_fetch(self: ImageLoader, row: ImageRow) -> torch.Tensor | None:
        nonlocal decoded, most
        pixels = fetch(self, row)
        with lock:
            decoded += 1
            most = max(most, decoded - encoded)
        return pixels

    def counted_encode(
        self: CountingEncoder, pixels: torch.Tensor, **options: bool
    ) -> ImageFeatures:
        nonlocal encoded
        features = encode(self, pixels, **options)
        with lock:
            encoded += len(pixels)
        return features

    monkeypatch.setattr("clipfg.embedding.image_loader.read", read)
    monkeypatch.setattr(ImageLoader, "fetch", counted_fetch)
    monkeypatch.setattr(CountingEncoder, "encode_images", counted_encode)
    rows = 0
    for batch in embed(numbered(1000), CountingEncoder(delay=0.005), None, batch_size=20):
        rows += len(batch)
    assert rows == decoded == encoded == 1000
    assert most <= 3 * 20 + 8
