"""The guarantees of the pipeline with the real encoder on real images."""

from pathlib import Path

import numpy as np
import pytest

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.pipeline import collect
from clipfg.embedding.precision import settle_precision
from clipfg.encoders import Encoder, load_encoder
from clipfg.types import Manifest

pytestmark = pytest.mark.shared


@pytest.fixture
def birds(shared: Path) -> Manifest:
    folder = shared / "data" / "cub100" / "images"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return Manifest.build("birds", {"uri": [str(p) for p in sorted(folder.rglob("*.jpg"))[::240]]})


@pytest.fixture(params=["fp32", "bf16"])
def encoder(request: pytest.FixtureRequest, shared: Path) -> Encoder:
    return load_encoder(f"hf:{shared / 'models' / 'lit-birds'}", precision=request.param)


def test_a_resumed_run_ends_in_the_same_bits(
    birds: Manifest, encoder: Encoder, cache: EmbeddingCache
) -> None:
    whole = collect(birds, encoder, None, batch_size=4)
    odd = Manifest.build("odd", {"uri": birds.uris[1::2]})
    # Half of them kept, so that the other half meets in batches of other company.
    resumed = collect(odd, encoder, cache, batch_size=4)
    assert len(whole) == 19
    left = collect(birds, encoder, cache, batch_size=4)
    np.testing.assert_array_equal(left.pooled[::2], whole.pooled[::2])
    np.testing.assert_array_equal(left.pooled[1::2], resumed.pooled)
    np.testing.assert_allclose(left.pooled, whole.pooled, atol=5e-3)


def test_bf16_agrees_with_float32(birds: Manifest, shared: Path, cache: EmbeddingCache) -> None:
    fast = load_encoder(f"hf:{shared / 'models' / 'lit-birds'}", precision="bf16")
    used, agreement = settle_precision(fast, birds, cache)
    assert used is fast
    assert agreement is not None
    assert 0.998 < agreement.lowest <= agreement.mean < 1
    again = load_encoder(f"hf:{shared / 'models' / 'lit-birds'}", precision="bf16")
    assert settle_precision(again, birds, cache) == (again, agreement)
    assert "model" not in vars(again)
