"""What is remembered of encoders, and when it no longer holds."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.encoder_memory import keep, recall
from clipfg.embedding.known_encoder import EncoderFacts, KnownEncoder
from clipfg.encoders import Encoder, load_encoder
from tests.checkpoints import clip, fgclip2, open_clip_siglip, siglip2_naflex

pytestmark = pytest.mark.usefixtures("settled")

LONG_AGO = 10**9
FACTS = ("name", "precision", "dim", "scoring", "logit_scale", "logit_bias", "dense_version")
FACTS += ("input_shape", "any_shape", "fingerprint", "text_paths")


@pytest.fixture
def cache(tmp_path: Path) -> EmbeddingCache:
    return EmbeddingCache(tmp_path / "cache")


def aged(folder: Path) -> Path:
    """A folder whose files have been as they are for long."""
    for path in (*folder.iterdir(), folder):
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return folder


def known(cache: EmbeddingCache, folder: Path, precision: str = "fp32") -> EncoderFacts | None:
    """What is recalled of the encoder in a folder."""
    return recall(cache, str(folder), precision, "cpu")


def kept(cache: EmbeddingCache, folder: Path, precision: Any = "fp32") -> Encoder:
    """The encoder in a folder, which is kept in mind."""
    encoder = load_encoder(str(folder), precision=precision, device="cpu")
    keep(cache, str(folder), precision, "cpu", encoder, time.time_ns())
    return encoder


def never() -> Encoder:
    raise AssertionError("opened")


@pytest.mark.parametrize("make", [clip, fgclip2, open_clip_siglip, siglip2_naflex])
def test_facts_are_those_of_the_encoder(
    make: Callable[[Path], Path], cache: EmbeddingCache, tmp_path: Path
) -> None:
    folder = aged(make(tmp_path / "model"))
    encoder = kept(cache, folder, "bf16")
    facts = known(cache, folder, "bf16")
    assert facts is not None
    twin: Any = KnownEncoder(facts, never)
    for name in FACTS:
        assert getattr(twin, name) == getattr(encoder, name), name
    assert dict(twin.context_lengths) == dict(encoder.context_lengths)
    assert twin.device == str(encoder.device)
    for precision in ("fp32", "bf16", "fp16", "int8"):
        assert twin.at(precision).fingerprint == encoder.at(precision).fingerprint
        assert twin.at(precision).precision == precision


def test_the_encoder_is_opened_once_for_what_is_not_known(tmp_path: Path) -> None:
    encoder = load_encoder(str(clip(tmp_path / "model")), precision="bf16", device="cpu")
    opened = []

    def open_encoder() -> Encoder:
        opened.append(True)
        return encoder

    twin: Any = KnownEncoder(EncoderFacts.of(encoder), open_encoder)
    exact = twin.at("fp32")
    assert twin.at("bf16") is twin
    assert not opened
    texts = ["a rose", "a lily"]
    assert torch.equal(exact.encode_texts(texts), encoder.at("fp32").encode_texts(texts))
    assert torch.equal(twin.encode_texts(texts), encoder.encode_texts(texts))
    assert twin.preprocessing is encoder.preprocessing
    assert len(opened) == 1
    with pytest.raises(AttributeError, match="no_such"):
        _ = twin.no_such


@pytest.mark.parametrize(
    "change", ["weights", "new file", "configuration", "same size and time", "gone"]
)
def test_a_change_of_the_files_is_seen(change: str, cache: EmbeddingCache, tmp_path: Path) -> None:
    folder = aged(clip(tmp_path / "model"))
    kept(cache, folder)
    assert known(cache, folder) is not None
    if change == "weights":
        os.utime(folder / "model.safetensors", ns=(LONG_AGO, LONG_AGO + 1))
    elif change == "new file":
        (folder / "other.json").write_text("{}")
    elif change == "configuration":
        path = folder / "config.json"
        path.write_text(path.read_text() + " ")
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    elif change == "same size and time":
        path = folder / "config.json"
        path.write_text(path.read_text().swapcase())
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    else:
        folder.rename(tmp_path / "moved")
    assert known(cache, folder) is None


def test_files_that_change_while_they_are_read_are_not_kept_in_mind(
    cache: EmbeddingCache, tmp_path: Path
) -> None:
    folder = clip(tmp_path / "model")
    encoder = load_encoder(str(folder), precision="fp32", device="cpu")
    began = time.time_ns() - 10**10
    for path in (*folder.iterdir(), folder):
        os.utime(path, ns=(began + 10**9, began + 10**9))  # nine seconds ago
    keep(cache, str(folder), "fp32", "cpu", encoder, began)
    assert known(cache, folder) is None
    keep(cache, str(folder), "fp32", "cpu", encoder, time.time_ns())
    assert known(cache, folder) is not None


def test_another_request_is_another_encoder(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = aged(clip(tmp_path / "model"))
    kept(cache, folder)
    assert known(cache, folder, "bf16") is None
    assert recall(cache, str(folder), "fp32", "auto") is None
    assert recall(cache, f"hf:{folder}", "fp32", "cpu") is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert known(cache, folder) is None


def test_a_name_means_what_lies_in_the_working_folder(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("one", "two"):
        aged(clip(tmp_path / place / "model"))
    monkeypatch.chdir(tmp_path / "one")
    encoder = load_encoder("hf:model", precision="fp32", device="cpu")
    keep(cache, "hf:model", "fp32", "cpu", encoder, time.time_ns())
    assert recall(cache, "hf:model", "fp32", "cpu") is not None
    monkeypatch.chdir(tmp_path / "two")
    assert recall(cache, "hf:model", "fp32", "cpu") is None


def test_files_that_may_still_change_are_not_kept_in_mind(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipfg.embedding.cache.SETTLED_NS", 10**12)
    folder = clip(tmp_path / "model")
    kept(cache, folder)
    assert known(cache, folder) is None


def test_a_note_of_another_version_is_no_note(cache: EmbeddingCache, tmp_path: Path) -> None:
    folder = aged(clip(tmp_path / "model"))
    kept(cache, folder)
    (key,) = [key for (key,) in cache.select("SELECT key FROM facts")]
    for note in ("", "{", "[]", "{}", '{"places": [], "state": ""}'):
        cache.put_fact(key, note)
        assert known(cache, folder) is None


def test_another_revision_of_the_hub_is_another_encoder(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--me--birds"
    for revision in ("a" * 40, "b" * 40):
        aged(clip(repository / "snapshots" / revision))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    aged(repository / "refs")
    encoder = load_encoder("hf:me/birds", precision="fp32")
    keep(cache, "hf:me/birds", "fp32", "cpu", encoder, time.time_ns())
    assert recall(cache, "hf:me/birds", "fp32", "cpu") is not None
    (repository / "refs" / "main").write_text("b" * 40)
    assert recall(cache, "hf:me/birds", "fp32", "cpu") is None
