from pathlib import Path

import numpy as np
import pytest
import torch

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.pipeline import collect
from clipfg.embedding.precision import LOWEST_COSINE, PrecisionAgreement, settle_precision
from clipfg.types import Manifest
from tests.embedding.counting_encoder import CountingEncoder


def test_float32_is_not_measured(manifest: Manifest, cache: EmbeddingCache) -> None:
    encoder = CountingEncoder()
    assert settle_precision(encoder, manifest, cache) == (encoder, None)
    assert encoder.batches == 0


@pytest.mark.parametrize("kept", [True, False])
def test_agreement_is_measured_on_the_first_images(
    manifest: Manifest, cache: EmbeddingCache, kept: bool
) -> None:
    encoder = CountingEncoder(precision="bf16")
    used, agreement = settle_precision(encoder, manifest, cache if kept else None)
    first = manifest.select(limit=16)
    fast = torch.from_numpy(collect(first, CountingEncoder(precision="bf16"), None).pooled)
    exact = torch.from_numpy(collect(first, CountingEncoder(), None).pooled)
    cosines = torch.nn.functional.cosine_similarity(fast.double(), exact.double())
    assert used is encoder
    assert agreement is not None
    assert agreement.lowest == pytest.approx(cosines.min().item(), abs=1e-6)
    assert agreement.mean == pytest.approx(cosines.mean().item(), abs=1e-6)
    assert agreement.images == 16
    assert agreement.lowest < 1
    assert str(agreement).startswith("bf16 agrees with float32: cosine at least 0.99")


def test_the_agreement_is_cached_and_read_without_loading_weights(
    manifest: Manifest, cache: EmbeddingCache, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    _, first = settle_precision(CountingEncoder(log, "bf16"), manifest, cache)
    assert len(log.read_text().split()) == 2 * 16
    again = CountingEncoder(log, "bf16")
    _, second = settle_precision(again, manifest, cache)
    assert second == first
    assert again.loads == 0
    collect(manifest, again, cache)  # the sixteen are not embedded again
    assert len(log.read_text().split()) == 2 * 16 + 34


def test_an_agreement_on_fewer_images_is_measured_again(
    manifest: Manifest, cache: EmbeddingCache
) -> None:
    _, few = settle_precision(CountingEncoder(precision="bf16"), manifest.select(limit=4), cache)
    _, all_of_them = settle_precision(CountingEncoder(precision="bf16"), manifest, cache)
    assert few is not None
    assert all_of_them is not None
    assert (few.images, all_of_them.images) == (4, 16)


def test_an_inaccurate_format_is_not_used(manifest: Manifest, cache: EmbeddingCache) -> None:
    for _ in range(2):  # measured, then from the cache
        used, agreement = settle_precision(
            CountingEncoder(precision="bf16", noise=1.0), manifest, cache
        )
        assert used.precision == "fp32"
        assert agreement is not None
        assert agreement.lowest < LOWEST_COSINE
        assert "so float32 is used" in str(agreement)


def test_images_that_only_float32_can_embed_count_as_disagreement(
    manifest: Manifest, cache: EmbeddingCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = CountingEncoder.encode_images

    def overflow(self: CountingEncoder, pixels: torch.Tensor, **options: bool) -> object:
        features = encode(self, pixels)
        if self.precision == "fp16":
            features.pooled[3] = float("inf")
        return features

    monkeypatch.setattr(CountingEncoder, "encode_images", overflow)
    used, agreement = settle_precision(CountingEncoder(precision="fp16"), manifest, cache)
    assert used.precision == "fp32"
    assert agreement is not None
    assert (agreement.lowest, agreement.images) == (0.0, 16)


def test_nothing_to_measure_on(cache: EmbeddingCache) -> None:
    encoder = CountingEncoder(precision="bf16")
    nothing = Manifest.build("none", {"uri": ["/there/is/none.jpg"]})
    assert settle_precision(encoder, nothing, cache) == (encoder, None)
    assert cache.fact(f"precision/{encoder.fingerprint}") is None


def test_an_agreement_of_another_version_is_measured_again(
    manifest: Manifest, cache: EmbeddingCache
) -> None:
    encoder = CountingEncoder(precision="bf16")
    cache.put_fact(f"precision/{encoder.fingerprint}", '{"unknown": 1}')
    _, agreement = settle_precision(encoder, manifest, cache)
    assert agreement is not None
    assert agreement.images == 16


def test_cosines_are_rounded_down() -> None:
    assert "at least 0.9999 on" in str(PrecisionAgreement("bf16", 0.99999, 1.0, 16))
    assert np.isclose(LOWEST_COSINE, 0.995)
