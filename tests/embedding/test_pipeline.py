import hashlib
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from clipfg.embedding.batches import FeatureBatch
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.embedding_run import batch_shape
from clipfg.embedding.known_encoder import EncoderFacts, KnownEncoder
from clipfg.embedding.pipeline import collect, embed
from clipfg.encoders import Encoder
from clipfg.errors import DataError, ItemError
from clipfg.types import Failure, Manifest
from tests.embedding.counting_encoder import CountingEncoder
from tests.embedding.drawn_images import draw


def lines(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


def uncached(manifest: Manifest, encoder: CountingEncoder, shape: int) -> np.ndarray:
    """The plain loop: decode, resize, encode in full batches, normalise."""
    pixels = [encoder.preprocessing(Image.open(uri).convert("RGB")) for uri in manifest.uris]
    rows = []
    for start in range(0, len(pixels), shape):
        part = pixels[start : start + shape]
        black = [torch.zeros_like(part[0])] * (shape - len(part))
        with torch.inference_mode():
            rows.append(encoder.encode_images(torch.stack(part + black)).pooled[: len(part)])
    pooled = torch.cat(rows).double()
    return (pooled / pooled.norm(dim=1, keepdim=True)).numpy()


@pytest.mark.parametrize("kept", [True, False])
def test_features_equal_a_plain_loop(manifest: Manifest, cache: EmbeddingCache, kept: bool) -> None:
    features = collect(manifest, CountingEncoder(), cache if kept else None, batch_size=8)
    expected = uncached(manifest, CountingEncoder(), batch_shape(50, 8))
    np.testing.assert_allclose(features.pooled, expected, atol=1e-6)
    assert features.ids == tuple(manifest.ids)
    np.testing.assert_array_equal(features.labels, manifest.labels)
    assert features.splits == tuple(manifest.table["split"].to_pylist())
    assert features.classes is manifest.classes
    assert (features.manifest, features.fingerprint) == (manifest.digest, "counting-fp32")


def test_a_second_run_encodes_nothing_and_loads_nothing(
    manifest: Manifest, cache: EmbeddingCache
) -> None:
    first = collect(manifest, CountingEncoder(), cache)
    again = CountingEncoder()
    second = collect(manifest, again, cache)
    assert again.loads == 0
    np.testing.assert_array_equal(first.pooled, second.pooled)
    assert sum(batch.reused for batch in embed(manifest, again, cache)) == 50


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("present", [[0], [3, 4, 11, 30], list(range(0, 50, 2)), list(range(37))])
def test_bits_do_not_depend_on_what_was_cached(
    manifest: Manifest, tmp_path: Path, precision: str, present: list[int]
) -> None:
    whole = collect(manifest, CountingEncoder(precision=precision), None, batch_size=8)
    shutil.rmtree(tmp_path / "kept", ignore_errors=True)
    with EmbeddingCache(tmp_path / "kept") as cache:
        contents = {}
        # An interrupted run left these: in the same shapes, but in other places of their batches.
        encoder = CountingEncoder(precision=precision)
        stopped = embed(manifest, encoder, cache, batch_size=8)
        for batch in stopped:
            contents |= {int(p): v for p, v in zip(batch.positions, batch.vectors, strict=True)}
        kept = cache.get("images", encoder.fingerprint, all_contents(manifest))
        cache.clear()
        cache.put(
            "images",
            encoder.fingerprint,
            "x",
            {c: kept[c] for i, c in enumerate(all_contents(manifest)) if i in present},
        )
        resumed = collect(manifest, CountingEncoder(precision=precision), cache, batch_size=8)
    np.testing.assert_array_equal(whole.pooled, resumed.pooled)


def all_contents(manifest: Manifest) -> list[bytes]:
    return [hashlib.blake2b(Path(u).read_bytes(), digest_size=16).digest() for u in manifest.uris]


def test_batch_shapes_are_even_and_bounded() -> None:
    assert [batch_shape(n, 32) for n in (0, 1, 3, 32, 33, 64, 1500)] == [1, 1, 3, 32, 17, 32, 32]


@pytest.mark.parametrize("kept", [True, False])
def test_one_entry_for_two_names_of_one_image(
    images: list[str], cache: EmbeddingCache, tmp_path: Path, kept: bool
) -> None:
    log = tmp_path / "log"
    twins = [shutil.copy2(images[0], tmp_path / f"twin{i}.png") for i in range(5)]
    manifest = Manifest.build("twins", {"uri": [*images[:3], *map(str, twins)]})
    features = collect(manifest, CountingEncoder(log), cache if kept else None)
    assert len(lines(log)) == len(set(lines(log))) == 3
    for row in range(3, 8):
        np.testing.assert_array_equal(features.pooled[row], features.pooled[0])
    if kept:
        assert cache.info()[0]["images"] == 3


def test_a_moved_image_is_not_embedded_again(
    manifest: Manifest, images: list[str], cache: EmbeddingCache, tmp_path: Path
) -> None:
    collect(manifest, CountingEncoder(), cache)
    moved = shutil.move(images[7], tmp_path / "elsewhere.png")
    encoder = CountingEncoder()
    assert len(collect(Manifest.build("moved", {"uri": [str(moved)]}), encoder, cache)) == 1
    assert encoder.loads == 0


def test_a_changed_image_is_embedded_again(
    manifest: Manifest, images: list[str], cache: EmbeddingCache, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    before = collect(manifest, CountingEncoder(log), cache)
    draw(Path(images[4]), seed=999)
    after = collect(manifest, CountingEncoder(log), cache)
    assert len(lines(log)) == 51
    changed = np.flatnonzero((before.pooled != after.pooled).any(axis=1))
    assert changed.tolist() == [4]


def test_an_image_changed_within_one_tick_is_embedded_again(
    cache: EmbeddingCache, tmp_path: Path
) -> None:
    """Same size, same time: only a hash can tell, so a young file is hashed each time."""
    path = tmp_path / "young.bmp"
    manifest = Manifest.build("young", {"uri": [str(path)]})

    def paint(level: int) -> None:
        Image.new("RGB", (32, 32), (level, 0, 0)).save(path)
        os.utime(path, (stamp, stamp))

    stamp = tmp_path.stat().st_mtime
    paint(10)
    before = collect(manifest, CountingEncoder(), cache)
    paint(200)
    after = collect(manifest, CountingEncoder(), cache)
    assert not np.array_equal(before.pooled, after.pooled)


@pytest.mark.usefixtures("settled")
def test_an_image_overwritten_with_its_old_size_and_time_is_embedded_again(
    cache: EmbeddingCache, tmp_path: Path
) -> None:
    path, other = tmp_path / "one.bmp", tmp_path / "other.bmp"
    Image.new("RGB", (32, 32), (10, 0, 0)).save(path)
    Image.new("RGB", (32, 32), (200, 0, 0)).save(other)
    manifest = Manifest.build("one", {"uri": [str(path)]})
    before = collect(manifest, CountingEncoder(), cache)
    state = path.stat()
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    shutil.copy2(other, path)
    after, mtime = collect(manifest, CountingEncoder(), cache), path.stat().st_mtime_ns
    assert (path.stat().st_size, mtime) == (state.st_size, state.st_mtime_ns)
    assert not np.array_equal(before.pooled, after.pooled)


def test_an_encoder_that_cannot_be_opened_ends_the_run(manifest: Manifest) -> None:
    def gone() -> Encoder:
        raise DataError("gone")

    encoder: Any = KnownEncoder(EncoderFacts.of(CountingEncoder()), gone)
    with pytest.raises(DataError, match="gone"):
        collect(manifest, encoder, None, workers=2)


def test_rows_and_failures_come_in_the_manifests_order(
    images: list[str], cache: EmbeddingCache, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 no image")
    black = tmp_path / "spoilt.png"
    Image.new("RGB", (40, 40), (123, 9, 9)).save(black)
    uris = [*images[:9], str(broken), *images[9:20], "/there/is/none.jpg", str(black)]
    uris += images[20:]
    manifest = Manifest.build("mixed", {"uri": uris})
    for _ in range(2):  # with an empty cache, then with a full one
        failures: list[Failure] = []
        encoder = CountingEncoder(spoil=[123])
        batches = list(embed(manifest, encoder, cache, batch_size=8, on_failure=failures.append))
        assert [(f.uri, f.stage) for f in failures] == [
            (str(broken), "decode"),
            ("/there/is/none.jpg", "read"),
            (str(black), "encode"),
        ]
        positions = np.concatenate([batch.positions for batch in batches])
        assert positions.tolist() == [i for i in range(53) if i not in (9, 21, 22)]
        assert [id for batch in batches for id in batch.ids] == [uris[i] for i in positions]


def test_strict_raises_the_first_failure(manifest: Manifest, cache: EmbeddingCache) -> None:
    Path(manifest.uris[20]).unlink()
    Path(manifest.uris[10]).write_bytes(b"GIF89a")
    batches: list[FeatureBatch] = []
    stream = embed(manifest, CountingEncoder(), cache, batch_size=8, strict=True)
    with pytest.raises(ItemError, match="image"):
        batches.extend(stream)
    assert sum(map(len, batches)) <= 10
    assert not decoding_threads()


def test_progress_reaches_the_total_with_failures_counted(manifest: Manifest) -> None:
    Path(manifest.uris[-1]).write_bytes(b"")
    calls: list[tuple[int, int]] = []
    collect(manifest, CountingEncoder(), None, batch_size=8, progress=lambda *c: calls.append(c))
    assert calls[-1] == (50, 50)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_ctrl_c_keeps_what_was_done(
    manifest: Manifest, cache: EmbeddingCache, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with pytest.raises(KeyboardInterrupt):
        collect(manifest, CountingEncoder(log, interrupt=3), cache, batch_size=8)
    assert not decoding_threads()
    done = len(lines(log))
    assert 0 < done < 50
    resumed = collect(manifest, CountingEncoder(log), cache, batch_size=8)
    assert len(lines(log)) == len(set(lines(log))) == 50
    whole = collect(manifest, CountingEncoder(), None, batch_size=8)
    np.testing.assert_array_equal(resumed.pooled, whole.pooled)


def test_a_consumer_that_stops_leaves_no_threads(manifest: Manifest) -> None:
    stream = embed(manifest, CountingEncoder(), None, batch_size=4)
    next(stream)
    stream.close()
    assert not decoding_threads()


def decoding_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("clipfg-decode")]


def test_an_empty_manifest_gives_no_rows(cache: EmbeddingCache) -> None:
    encoder = CountingEncoder()
    features = collect(Manifest.build("empty", {"uri": []}), encoder, cache)
    assert features.pooled.shape == (0, 64)
    assert encoder.loads == 0


def fill_the_disk(cache: EmbeddingCache) -> None:
    cache.put("images", "other", "other", {b"one": np.ones(3900, dtype=np.float32)})
    cache._connection.execute("PRAGMA max_page_count=1")  # which SQLite takes as "no more"


def test_a_cache_that_cannot_be_written_costs_nothing_but_a_warning(
    manifest: Manifest, tmp_path: Path
) -> None:
    said: list[str] = []
    spoilers: list[Callable[[EmbeddingCache], object]] = [
        fill_the_disk,
        lambda cache: cache._connection.execute("PRAGMA query_only=1"),  # a read-only one
    ]
    whole = collect(manifest, CountingEncoder(), None, batch_size=8)
    for number, spoil in enumerate(spoilers):
        with EmbeddingCache(tmp_path / str(number), warn=said.append) as cache:
            spoil(cache)
            features = collect(manifest, CountingEncoder(), cache, batch_size=8)
            np.testing.assert_array_equal(features.pooled, whole.pooled)
        assert len(said) == number + 1, said
    assert "full" in said[0]
    assert "readonly" in said[1]
