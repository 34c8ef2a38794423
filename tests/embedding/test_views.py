"""Several views of an item: what they show, how they are pooled, and what they cost."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional

from clipfg.embedding import image_loader
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.framing import MIRRORED, Framing
from clipfg.embedding.image_loader import ImageLoader
from clipfg.embedding.image_row import ImageRow
from clipfg.embedding.pipeline import collect, embed
from clipfg.embedding.views import VIEWS, Views, mean_of_kinds
from clipfg.encoders.naflex import NaFlexPreprocessing
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.errors import UsageError
from clipfg.types import COLUMNS, ClassList, Failure, Manifest
from tests.embedding.counting_encoder import CountingEncoder
from tests.embedding.drawn_images import draw

SQUARE = Preprocessing((32, 32))


def views(names: str, preprocessing: Preprocessing = SQUARE) -> Views:
    found = Views.of(names, preprocessing)
    assert found is not None
    return found


def shown(path: str, view: str, preprocessing: Preprocessing, boxes: object = None) -> object:
    row = ImageRow(0, "a", path, -1, Framing("whole").frame(None, view))
    row.boxes = boxes  # type: ignore[assignment]
    return ImageLoader(lambda: preprocessing, lambda _: None).fetch([row])[0]


def test_ten_crop_is_torchvisions(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    wanted = functional.ten_crop(torch.from_numpy(pixels).permute(2, 0, 1), [56, 56])
    path = str(tmp_path / "a.png")
    found = [shown(path, view, Preprocessing((56, 56))).pixels for view in VIEWS["ten-crop"]]
    key = lambda image: image.numpy().tobytes()  # noqa: E731
    assert sorted(map(key, found)) == sorted(map(key, wanted))
    assert len(set(map(key, found))) == 10


def test_tiles_cover_the_picture_once(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    tiles = [shown(str(tmp_path / "a.png"), view, SQUARE).pixels for view in VIEWS["tiles"]]
    rows = [torch.cat(tiles[start : start + 2], dim=2) for start in (0, 2)]
    assert torch.equal(torch.cat(rows, dim=1), torch.from_numpy(pixels).permute(2, 0, 1))


def test_boxes_are_mirrored_with_their_picture(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 3), dtype=np.uint8)
    pixels[4:8, 10:20] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    boxes = np.array([[10, 4, 20, 8]], "<f4")
    loaded = shown(str(tmp_path / "a.png"), MIRRORED, SQUARE, boxes)
    x0, y0, x1, y1 = map(int, loaded.boxes[0].tolist())
    assert (x0, y0, x1, y1) == (12, 4, 22, 8)
    assert loaded.pixels[:, y0:y1, x0:x1].min() == 255
    assert loaded.pixels.sum() == 255 * 3 * 40


def test_each_kind_counts_alike() -> None:
    rng = np.random.default_rng(0)
    given = rng.normal(size=(4, 3, 6)).astype(np.float32)
    given /= np.linalg.norm(given, axis=-1, keepdims=True)
    for row, found in zip(given, mean_of_kinds(given, ("center", "tiles", "tiles")), strict=True):
        total = [row[0][i] + (row[1][i] + row[2][i]) / 2 for i in range(6)]
        norm = sum(value * value for value in total) ** 0.5
        np.testing.assert_allclose(found, [value / norm for value in total], atol=1e-6)


def test_what_names_stand_for() -> None:
    assert Views.of("center", SQUARE) is None
    assert views("tiles").passes == 4
    assert views("center+ten-crop").passes == 11
    assert views("attention-crop").passes == 2
    assert views("squash+attention-crop").passes == 2
    assert views("center+attention-crop").passes == 3
    assert views("center+attention-crop", Preprocessing((32, 32), "squash")).passes == 2
    for wrong in ("centre", "tiles+tiles", "", "center+"):
        with pytest.raises(UsageError, match=r"[vV]iew"):
            Views.of(wrong, SQUARE)


def test_views_that_the_encoder_cannot_tell_apart_are_one() -> None:
    squashing = Preprocessing((32, 32), "squash")
    assert Views.of("squash", squashing) is None
    assert Views.of("center+squash", squashing) is None
    assert views("center+squash+tiles", squashing).shown == ("", *VIEWS["tiles"])
    assert views("center+squash").shown == ("", "squash")


def test_an_encoder_of_any_shape_has_nothing_to_pad() -> None:
    flexible = NaFlexPreprocessing((512, 512), budgets=(256,))
    with pytest.raises(UsageError, match="own shape"):
        Views.of("center+pad", flexible)
    assert views("center+attention-crop", flexible).passes == 2


@pytest.fixture
def wide(tmp_path: Path) -> Manifest:
    """Six pictures of 60 x 40, one of them broken."""
    uris = []
    for seed in range(6):
        path = tmp_path / f"{seed}.png"
        draw(path, seed, 60, 40)
        uris.append(str(path))
    Path(uris[3]).write_bytes(b"no image")
    columns = {"id": list("abcdef"), "uri": uris, "label": [0, 1] * 3}
    return Manifest.build("wide", columns, ClassList(("x", "y")))


@pytest.mark.parametrize("batch_size", [1, 3, 32])
@pytest.mark.parametrize("kept", [True, False])
def test_views_are_embedded_as_items_and_pooled(
    wide: Manifest, cache: EmbeddingCache, batch_size: int, kept: bool
) -> None:
    encoder, failures, progress = CountingEncoder(), list[Failure](), list[tuple[int, int]]()
    batches = list(
        embed(
            wide,
            encoder,
            cache if kept else None,
            views=views("center+tiles+attention-crop"),
            batch_size=batch_size,
            on_failure=failures.append,
            progress=lambda done, total: progress.append((done, total)),
        )
    )
    assert [(each.id, each.stage) for each in failures] == [("d", "decode")]
    assert [i for batch in batches for i in batch.ids] == list("abcef")
    assert [int(i) for batch in batches for i in batch.positions] == [0, 1, 2, 4, 5]
    assert [int(i) for batch in batches for i in batch.labels] == [0, 1, 0, 0, 1]
    assert progress[-1] == (42, 42)
    found = np.concatenate([batch.views for batch in batches])
    assert found.shape == (5, 6, 64)
    for row, uri in enumerate(wide.uris[i] for i in (0, 1, 2, 4, 5)):
        for place, view in enumerate(views("center+tiles").shown):
            pixels = shown(uri, view, encoder.preprocessing).pixels
            with torch.no_grad():
                alone = encoder.encode_images(pixels[None]).pooled[0].numpy()
            np.testing.assert_allclose(found[row, place], alone / np.linalg.norm(alone), atol=2e-5)
    pooled = np.concatenate([batch.vectors for batch in batches])
    want = found[:, 0] + found[:, 1:5].mean(axis=1) + found[:, 5]
    np.testing.assert_allclose(
        pooled, want / np.linalg.norm(want, axis=1, keepdims=True), atol=1e-6
    )


def test_each_view_is_embedded_once_and_each_image_decoded_once(
    wide: Manifest, cache: EmbeddingCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    real = image_loader.decoded
    monkeypatch.setattr(
        image_loader, "decoded", lambda *args, **more: decoded.append(1) or real(*args, **more)
    )
    good = wide.select(limit=3)
    center = collect(good, CountingEncoder(), cache)
    first = collect(good, CountingEncoder(), cache, views=views("center+ten-crop"))
    assert len(decoded) == 6
    again = CountingEncoder()
    both = views("ten-crop+center")
    batches = list(embed(good, again, cache, views=both))
    assert again.loads == 0
    assert sum(batch.reused for batch in batches) == 3
    last = np.concatenate([batch.views for batch in batches])[:, -1]
    np.testing.assert_array_equal(last, center.pooled)
    np.testing.assert_allclose(
        np.concatenate([batch.vectors for batch in batches]), first.pooled, atol=1e-6
    )


def test_the_attention_crop_is_around_what_differs(tmp_path: Path, cache: EmbeddingCache) -> None:
    rng = np.random.default_rng(0)
    pixels = np.full((96, 96, 3), 90, dtype=np.uint8)
    pixels[24:48, 60:84] = rng.integers(0, 256, (24, 24, 3))
    Image.fromarray(pixels).save(tmp_path / "a.png")
    manifest = Manifest.build("m", {"uri": [str(tmp_path / "a.png")]})
    encoder, seen = CountingEncoder(), list[tuple[float, ...]]()
    real = Preprocessing.__call__

    def spy(self: Preprocessing, image: Image.Image, window: object = None) -> torch.Tensor:
        if window is not None:
            seen.append(tuple(window))  # type: ignore[arg-type]
        return real(self, image, window)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Preprocessing, "__call__", spy)
        collect(manifest, encoder, cache, views=views("attention-crop"))
    x0, y0, x1, y1 = seen[-1]
    assert x1 - x0 == pytest.approx(y1 - y0)
    assert x0 <= 60 < 84 <= x1
    assert y0 <= 24 < 48 <= y1
    assert (x1 - x0) * (y1 - y0) < 0.5 * 96 * 96


def test_views_of_a_box_are_parts_of_its_crop(wide: Manifest) -> None:
    boxes = pa.array([[20.0, 0, 60, 40]] * 2, COLUMNS["box"])
    table = wide.select(limit=2).table.append_column("box", boxes)
    boxed, encoder = replace(wide, table=table), CountingEncoder()
    framing = Framing("tight")
    (batch,) = embed(boxed, encoder, None, framing=framing, views=views("center+tiles"))
    for row, uri in enumerate(boxed.uris):
        image = Image.open(uri).convert("RGB")
        for place, part in enumerate([(20, 0, 60, 40), (20, 0, 40, 20), (40, 0, 60, 20)]):
            pixels = encoder.preprocessing(image, tuple(map(float, part)))
            with torch.no_grad():
                alone = encoder.encode_images(pixels[None]).pooled[0].numpy()
            assert batch.views[row, place] @ alone / np.linalg.norm(alone) > 0.9999
