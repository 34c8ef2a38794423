import math
from pathlib import Path

import numpy as np
import pytest
import torch

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.texts import embed_texts
from clipfg.errors import DataError
from tests.embedding.counting_encoder import CountingEncoder

TEXTS = [f"a photo of {'very ' * (i % 5)}much {i % 40}" for i in range(100)]


@pytest.mark.parametrize("kept", [True, False])
def test_texts_equal_the_output_of_the_tower(cache: EmbeddingCache, kept: bool) -> None:
    features = embed_texts(TEXTS, CountingEncoder(), cache if kept else None, batch_size=9)
    expected = CountingEncoder().encode_texts(TEXTS)
    np.testing.assert_allclose(features, torch.nn.functional.normalize(expected), atol=1e-6)


def test_each_text_is_encoded_once_and_kept(cache: EmbeddingCache, tmp_path: Path) -> None:
    log = tmp_path / "log"
    first = embed_texts(TEXTS, CountingEncoder(log), cache)
    different = len(set(TEXTS))
    assert different < 100
    assert len(log.read_text().split()) == different
    again = CountingEncoder(log)
    second = embed_texts(TEXTS[::-1], again, cache)
    assert again.loads == 0
    assert np.array_equal(second, first[::-1])
    embed_texts([*TEXTS, "a new one"], again, cache)
    assert len(log.read_text().split()) == different + 1


def test_batches_have_texts_of_similar_length(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[list[int]] = []
    encode = CountingEncoder.encode_texts

    def spy(self: CountingEncoder, texts: list[str]) -> torch.Tensor:
        lengths.append([len(text.split()) for text in texts])
        return encode(self, texts)

    monkeypatch.setattr(CountingEncoder, "encode_texts", spy)
    calls: list[tuple[int, int]] = []
    embed_texts(TEXTS, CountingEncoder(), None, batch_size=10, progress=lambda *c: calls.append(c))
    flat = [length for batch in lengths for length in batch]
    assert flat == sorted(flat)
    assert max(map(len, lengths)) == 10
    total = len(set(TEXTS))
    assert calls[-1] == (total, total)
    assert len(calls) == math.ceil(total / 10)


def test_no_texts() -> None:
    encoder = CountingEncoder()
    assert embed_texts([], encoder, None).shape == (0, 64)
    assert encoder.loads == 0


def test_texts_without_finite_features_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        CountingEncoder, "encode_texts", lambda s, t: torch.full((len(t), 64), float("inf"))
    )
    with pytest.raises(DataError, match=r"'a wren'.*--precision fp32"):
        embed_texts(["a wren"], CountingEncoder(precision="bf16"), None)
