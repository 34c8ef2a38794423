from pathlib import Path

import numpy as np
import pytest
import torch

from clipfg.data import synthflora
from clipfg.embedding import precision
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.pipeline import collect
from clipfg.embedding.precision import LOWEST_COSINE, PrecisionAgreement, settle_precision
from clipfg.encoders import load_encoder
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


@pytest.mark.parametrize(("seconds", "used"), [((0.5, 1.0), "int8"), ((1.0, 1.1), "fp32")])
def test_int8_is_raced_for_runs_of_many_images(
    cache: EmbeddingCache, monkeypatch, seconds, used
) -> None:
    """Where the fastest format is float32: `seconds` that int8 and float32 take."""
    encoder = load_encoder("builtin:florette", precision="fp32", device="cpu")
    many, few = synthflora.load().select("test"), synthflora.load().select("test", limit=20)
    clock = {"int8": seconds[0], "fp32": seconds[1]}
    assert 0.01 < precision._speed(encoder.at("int8")) < 100
    monkeypatch.setattr(precision, "_speed", lambda _: clock["fp32"] / clock["int8"])
    assert settle_precision(encoder, few, cache) == (encoder, None)
    found, agreement = settle_precision(encoder, many, cache)
    assert found.precision == used
    assert agreement is not None
    assert agreement.lowest > LOWEST_COSINE
    assert agreement.speed == seconds[1] / seconds[0]
    assert ("is not worth it" in str(agreement)) == (used == "fp32")
    again, _ = settle_precision(encoder, few, cache)
    assert again.precision == used  # what was found is remembered
