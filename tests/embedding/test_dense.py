"""Patches, regions and bags on their way from the encoder to `Features`, and through the cache."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from clipfg.data import synthflora
from clipfg.data.loading import load_dataset
from clipfg.data.sources import signature
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.feature_files import read_features, write_features
from clipfg.embedding.pipeline import collect, embed
from clipfg.embedding.texts import embed_texts
from clipfg.encoders import load_encoder
from clipfg.errors import DataError, UsageError
from clipfg.types import COLUMNS, Failure, Features, Manifest, unit_norm
from tests.embedding.counting_encoder import CountingEncoder
from tests.embedding.drawn_images import refuse

BOTH = ("patches", "regions")
BOXES = [[0.0, 0, 40, 40], [3, 5, 21, 33], [38, 37.5, 40, 40], [10, 10, 10, 30]]
"""In images of 40 x 40: the whole, a part, a corner, and an empty one."""


def with_regions(manifest: Manifest) -> Manifest:
    """Item i has the first (i modulo 5) boxes."""
    cells = [
        [{"box": box, "phrase": f"{row}.{n}"} for n, box in enumerate(BOXES[: row % 5])] or None
        for row in range(len(manifest))
    ]
    column = pa.array(cells, COLUMNS["regions"])
    return replace(manifest, table=manifest.table.append_column("regions", column))


@pytest.fixture
def manifest(manifest: Manifest) -> Manifest:
    return with_regions(manifest.select(limit=23))


def plain_loop(manifest: Manifest, encoder: CountingEncoder) -> tuple[np.ndarray, list[np.ndarray]]:
    """Patches `[n, 4, 4, d]`, and means of those under each box by sampling."""
    pixels = [encoder.preprocessing(Image.open(uri).convert("RGB")) for uri in manifest.uris]
    patches = encoder.encode_images(torch.stack(pixels), patches=True).patches.detach().numpy()
    maps = patches.reshape(len(pixels), 4, 4, -1)
    points = (np.arange(400) + 0.5) / 400
    regions = []
    for row, each in enumerate(maps):
        means = []
        for x0, y0, x1, y1 in np.clip(np.array(BOXES[: row % 5]) / 40, 0, 1).reshape(-1, 4):
            x = ((x0 + points * (x1 - x0)) * 4).astype(int)
            y = ((y0 + points * (y1 - y0)) * 4).astype(int)
            empty = x0 == x1
            mean = each[y.clip(max=3)][:, x.clip(max=3)].mean((0, 1))
            means.append(0 * mean if empty else mean / np.linalg.norm(mean))
        regions.append(np.array(means).reshape(-1, maps.shape[-1]))
    return maps, regions


def same(first: Features, second: Features) -> None:
    for a, b in [
        (first.pooled, second.pooled),
        (first.patches.values, second.patches.values),
        (first.patches.grids, second.patches.grids),
        (first.regions.values, second.regions.values),
        (first.regions.boxes, second.regions.boxes),
        (first.regions.offsets, second.regions.offsets),
    ]:
        np.testing.assert_array_equal(a, b)
    assert first.regions.phrases == second.regions.phrases


@pytest.mark.parametrize("kept", [True, False])
def test_patches_and_regions_equal_a_plain_loop(
    manifest: Manifest, cache: EmbeddingCache, kept: bool
) -> None:
    encoder = CountingEncoder()
    features = collect(manifest, encoder, cache if kept else None, dense=BOTH, batch_size=8)
    maps, regions = plain_loop(manifest, CountingEncoder())
    assert features.patches.values.dtype == np.float16
    assert features.patches.grids.tolist() == [[4, 4]] * 23
    for row in range(23):
        np.testing.assert_allclose(features.patches[row], maps[row], atol=3e-3)
        np.testing.assert_allclose(features.regions[row], regions[row], atol=6e-3)
        assert len(features.regions[row]) == row % 5
    assert features.regions.phrases[:6] == ("1.0", "2.0", "2.1", "3.0", "3.1", "3.2")
    np.testing.assert_array_equal(features.regions.boxes[3:6], np.float32(BOXES[:3]))
    np.testing.assert_array_equal(
        features.pooled, collect(manifest, encoder, None, batch_size=8).pooled
    )


def test_a_second_run_finds_all_of_it_and_loads_nothing(
    manifest: Manifest, cache: EmbeddingCache
) -> None:
    first = collect(manifest, CountingEncoder(), cache, dense=BOTH, batch_size=8)
    again = CountingEncoder()
    for dense in (BOTH, ("patches",), ("regions",), ()):
        second = collect(manifest, again, cache, dense=dense, batch_size=8)
        np.testing.assert_array_equal(second.pooled, first.pooled)
        assert (second.patches is None) == ("patches" not in dense)
        assert (second.regions is None) == ("regions" not in dense)
    assert again.loads == 0
    same(collect(manifest, again, cache, dense=BOTH, batch_size=8), first)
    assert sum(batch.reused for batch in embed(manifest, again, cache, dense=BOTH)) == 23


@pytest.mark.parametrize("present", [[0], [3, 4, 11, 20], list(range(0, 23, 2)), list(range(17))])
def test_bits_do_not_depend_on_what_was_cached(
    manifest: Manifest, cache: EmbeddingCache, present: list[int]
) -> None:
    whole = collect(manifest, CountingEncoder(), None, dense=BOTH, batch_size=8)
    part = replace(manifest, table=manifest.table.take(present))
    collect(part, CountingEncoder(), cache, dense=BOTH, batch_size=8)
    same(collect(manifest, CountingEncoder(), cache, dense=BOTH, batch_size=8), whole)


def tables(cache: EmbeddingCache) -> dict[str, int]:
    with sqlite3.connect(cache.path) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
        kinds = [name for name in names if name in {"images", "texts", "patches", "regions"}]
        found = {k: connection.execute(f"SELECT count(*) FROM {k}").fetchone()[0] for k in kinds}
    connection.close()
    return found


def test_by_default_pooled_features_alone_are_kept(
    manifest: Manifest, cache: EmbeddingCache
) -> None:
    collect(manifest, CountingEncoder(), cache)
    assert tables(cache) == {"images": 23, "texts": 0}
    (row,) = cache.info()
    names = ["images", "texts", "images_bytes", "texts_bytes", "bytes"]
    assert list(row) == ["encoder", "fingerprint", "dim", *names]
    assert row["images_bytes"] == row["bytes"] == 23 * 64 * 4


def test_the_cache_says_what_patches_take(manifest: Manifest, cache: EmbeddingCache) -> None:
    collect(manifest, CountingEncoder(), cache, dense=BOTH)
    (row,) = cache.info()
    assert (row["images"], row["patches"]) == (23, 23)
    assert 23 * 16 * 64 * 2 < row["patches_bytes"] < 23 * (16 * 64 * 2 + 200)
    assert row["bytes"] == sum(row[f"{kind}_bytes"] for kind in ("images", *BOTH))


def test_features_made_another_way_are_not_mixed(manifest: Manifest, cache: EmbeddingCache) -> None:
    first = collect(manifest, CountingEncoder(), cache, dense=BOTH)

    class Other(CountingEncoder):
        dense_version = "another way"

        def encode_images(self, pixels: torch.Tensor, *, patches: bool = False) -> object:
            features = super().encode_images(pixels, patches=patches)
            return replace(features, patches=features.patches * 2 if patches else None)

    second = collect(manifest, Other(), cache, dense=BOTH)
    np.testing.assert_array_equal(second.pooled, first.pooled)
    np.testing.assert_array_equal(second.patches.values, first.patches.values * 2)
    same(collect(manifest, CountingEncoder(), cache, dense=BOTH), first)


def test_a_cache_of_pooled_features_is_added_to_and_keeps_its_bits(
    manifest: Manifest, cache: EmbeddingCache, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    odd = {"fingerprint": "counting-fp32", "name": "x"}
    before = collect(manifest, CountingEncoder(), None)
    nudged = np.nextafter(before.pooled, 0)  # as if they had been computed elsewhere
    contents = cache.contents
    collect(manifest, CountingEncoder(), cache)
    hashes = list(contents({uri: signature(uri) for uri in manifest.uris}).values())
    cache.clear()
    cache.put("images", vectors=dict(zip(hashes, nudged, strict=True)), **odd)
    features = collect(manifest, CountingEncoder(log), cache, dense=("patches",))
    np.testing.assert_array_equal(features.pooled, unit_norm(nudged))
    assert len(log.read_text().split()) == 23
    assert tables(cache) == {"images": 23, "texts": 0, "patches": 23}
    assert cache.info()[0]["patches"] == 23
    assert cache.clear() == 46


def test_one_image_may_have_different_boxes(
    images: list[str], cache: EmbeddingCache, tmp_path: Path
) -> None:
    def items(*boxes: list[float] | None) -> Manifest:
        ids = [str(row) for row in range(len(boxes))]
        return Manifest.build("boxes", {"id": ids, "uri": images[:1] * len(boxes), "box": boxes})

    log = tmp_path / "log"
    first = items(BOXES[0], BOXES[1], None, BOXES[1])
    features = collect(first, CountingEncoder(log), cache, dense=["regions"])
    assert features.regions.offsets.tolist() == [0, 1, 2, 2, 3]
    np.testing.assert_array_equal(features.regions[1], features.regions[3])
    assert not np.array_equal(features.regions[0], features.regions[1])
    assert features.regions.phrases == (None,) * 3
    encoded = len(log.read_text().split())
    known = items(BOXES[1], BOXES[0])
    again = CountingEncoder(log)
    np.testing.assert_array_equal(
        collect(known, again, cache, dense=["regions"]).regions.values,
        features.regions.values[[1, 0]],
    )
    assert again.loads == 0
    collect(items(BOXES[1], BOXES[2]), again, cache, dense=["regions"])
    assert len(log.read_text().split()) == encoded + 1


def test_an_image_whose_features_are_too_large_for_half_precision_fails(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = CountingEncoder.encode_images

    def huge(self: CountingEncoder, pixels: torch.Tensor, **options: bool) -> object:
        features = encode(self, pixels, **options)
        if features.patches is not None:
            features.patches[2, 0, 0] = 1e6
        return features

    monkeypatch.setattr(CountingEncoder, "encode_images", huge)
    failures: list[Failure] = []
    features = collect(
        manifest, CountingEncoder(), None, dense=["patches"], on_failure=failures.append
    )
    assert [failure.stage for failure in failures] == ["encode"]
    assert (len(features), len(features.patches)) == (22, 22)


@pytest.mark.parametrize("box", [[1, 2, np.nan, 4], [1, 2, np.inf, 4], [1, 2, None, 4]])
def test_an_invalid_box_fails_its_item_alone(images: list[str], box: list[float]) -> None:
    manifest = Manifest.build("m", {"uri": images[:3], "box": [BOXES[0], box, BOXES[1]]})
    failures: list[Failure] = []
    features = collect(
        manifest, CountingEncoder(), None, dense=["regions"], on_failure=failures.append
    )
    assert features.ids == (images[0], images[2])
    assert [(f.id, f.stage) for f in failures] == [(images[1], "read")]
    assert "box" in failures[0].reason


@pytest.mark.parametrize("place", [0, 1])
def test_a_null_among_regions_fails_its_item_alone(
    images: list[str], tmp_path: Path, place: int
) -> None:
    good = [{"box": BOXES[0], "phrase": "a"}]
    bad = [*good]
    bad.insert(place, None)
    rows = [{"image": images[0], "regions": good}, {"image": images[1], "regions": bad}]
    listing = tmp_path / "items.jsonl"
    listing.write_text("\n".join(map(json.dumps, rows)))
    failures: list[Failure] = []
    features = collect(
        load_dataset(str(listing)),
        CountingEncoder(),
        None,
        dense=["regions"],
        on_failure=failures.append,
    )
    assert len(features) == 1
    assert [(f.uri, f.stage) for f in failures] == [(images[1], "read")]
    assert "each region" in failures[0].reason


def test_an_empty_phrase_is_none(images: list[str], tmp_path: Path) -> None:
    regions = [
        {"box": box, "phrase": phrase}
        for box, phrase in zip(BOXES[:3], ["", "a", None], strict=True)
    ]
    manifest = Manifest.build("m", {"uri": images[:1], "regions": [regions]})
    features = collect(manifest, CountingEncoder(), None, dense=["regions"])
    assert features.regions.phrases == (None, "a", None)
    for ending in ("npz", "safetensors", "parquet"):
        file = tmp_path / f"features.{ending}"
        write_features(features, file)
        assert read_features(file).regions.phrases == features.regions.phrases


def test_missing_dense_features_are_reported(manifest: Manifest) -> None:
    with pytest.raises(UsageError, match="has no patch features"):
        collect(manifest, CountingEncoder(tokens=False), None, dense=["patches"])
    plain = replace(manifest, table=manifest.table.drop_columns(["regions"]))
    with pytest.raises(UsageError, match="no column of regions or boxes"):
        collect(plain, CountingEncoder(), None, dense=["regions"])


def test_few_maps_are_looked_up_at_once(
    manifest: Manifest, cache: EmbeddingCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patches take much more memory than pooled features, so the batch bounds them."""
    collect(manifest, CountingEncoder(), cache, dense=BOTH)
    asked: list[int] = []
    get = EmbeddingCache.get

    def spy(self: EmbeddingCache, kind: str, *rest: object) -> object:
        found = get(self, kind, *rest)
        asked.append(len(found) if kind == "patches" else 0)
        return found

    monkeypatch.setattr(EmbeddingCache, "get", spy)
    batches = list(embed(manifest, CountingEncoder(), cache, dense=BOTH, batch_size=4))
    assert sum(asked) == 23
    assert max(asked) <= 4
    assert max(map(len, batches)) <= 4


def test_a_read_only_cache_without_dense_features(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddingCache(tmp_path) as cache:
        collect(manifest, CountingEncoder(), cache)
    said: list[str] = []
    with EmbeddingCache(tmp_path, warn=said.append) as cache:
        cache.writable = False
        features = collect(manifest, CountingEncoder(), cache, dense=BOTH)
    same(features, collect(manifest, CountingEncoder(), None, dense=BOTH))
    assert said == []


def test_bags_go_along_and_lose_what_fails(images: list[str], cache: EmbeddingCache) -> None:
    Path(images[4]).write_bytes(b"")
    Path(images[7]).write_bytes(b"")
    bags = list("aaabbbbcdd")
    manifest = Manifest.build("bags", {"uri": images[:10], "bag": bags})
    features = collect(manifest, CountingEncoder(), cache, batch_size=4)
    assert features.bag_offsets.tolist() == [0, 3, 6, 8]
    batches = list(embed(manifest, CountingEncoder(), cache, batch_size=4))
    numbers = np.concatenate([batch.bags for batch in batches])
    assert numbers.tolist() == [0, 0, 0, 1, 1, 1, 3, 3]
    scattered = Manifest.build("bags", {"uri": images[:3], "bag": list("aba")})
    with pytest.raises(DataError, match="each bag together"):
        collect(scattered, CountingEncoder(), cache)


def test_florette_finds_the_parts_of_a_flower(tmp_path: Path) -> None:
    """With a real encoder, the phrase of a part is most similar to the region that shows it."""
    encoder = load_encoder("builtin:florette", precision="fp32", device="cpu")
    manifest = synthflora.with_regions(load_dataset("synthflora").select("test", limit=400))
    manifest = replace(manifest, table=manifest.table.take(list(range(0, 400, 10))))
    with EmbeddingCache(tmp_path, warn=refuse) as cache:
        features = collect(manifest, encoder, cache, dense=BOTH)
        regions = features.regions
        texts = embed_texts(regions.phrases, encoder, cache)
    grid = encoder.preprocessing.size[0] // 8
    assert features.patches.grids.tolist() == [[grid, grid]] * 40
    hits = []
    for row in range(len(features)):
        own = slice(*regions.offsets[row : row + 2])
        cosines = regions.values[own] @ texts[own].T
        phrases = np.array(regions.phrases[own])  # both leaves have one
        hits += (phrases[cosines.argmax(0)] == phrases).tolist()
    assert np.mean(hits) > 0.9  # chance is 0.38
