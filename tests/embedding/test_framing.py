"""Items that are parts of images: boxes and views, cut out or read from the dense map."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from clipfg.embedding import image_loader, scanning
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.framing import Frame, Framing, boxes_inside
from clipfg.embedding.pipeline import collect, embed
from clipfg.embedding.views import Views, whole_view
from clipfg.encoders.naflex import NaFlexPreprocessing
from clipfg.errors import ItemError, UsageError
from clipfg.functional.windows import shorten, square_window
from clipfg.types import COLUMNS, Failure, Manifest
from tests.embedding.counting_encoder import CountingEncoder
from tests.embedding.drawn_images import draw

WHOLE, TIGHT, SQUARE, REGION = (Framing(crop) for crop in ("whole", "tight", "square", "region"))

BOXES = [[2.0, 4, 22, 14], None, [0, 0, 60, 40], [50, 30, 60, 38], [1, 1, 7, 5]]
"""Of a 60 x 40 image; one item is the image itself."""


@pytest.fixture
def scenes(tmp_path: Path) -> Manifest:
    """Three images with five items each."""
    uris = [draw(tmp_path / f"{seed}.png", seed, 60, 40) for seed in range(3) for _ in BOXES]
    columns = {"id": [str(i) for i in range(15)], "uri": uris}
    return Manifest.build("scenes", columns | {"box": pa.array(BOXES * 3, COLUMNS["box"])})


def plain(
    uri: str, window: list[float] | None, encoder: CountingEncoder, resize: str = "crop"
) -> np.ndarray:
    image = Image.open(uri).convert("RGB")
    preprocessing = replace(encoder.preprocessing, resize=resize)
    pixels = preprocessing(image if window is None else image.crop(window))
    with torch.no_grad():
        feature = encoder.encode_images(pixels[None]).pooled[0].numpy()
    return feature / np.linalg.norm(feature)


def test_a_square_leaves_a_tenth_around_the_longer_side_and_stays_in_the_image() -> None:
    assert square_window((10.0, 20.0, 30.0, 30.0), 100, 100, 0.1) == (8, 13, 32, 37)
    assert square_window((0.0, 90.0, 20.0, 100.0), 100, 100, 0.1) == (0, 76, 24, 100)
    assert square_window((5.0, 5.0, 85.0, 15.0), 90, 40, 0.1) == (0, 0, 90, 40)


def test_the_middle_of_a_strip_is_kept() -> None:
    assert shorten((0.0, 0.0, 1000.0, 2.0), 32) == (468, 0, 532, 2)
    assert shorten((0.0, 0.0, 60.0, 2.0), 32) == (0, 0, 60, 2)


@pytest.mark.parametrize("framing", [TIGHT, SQUARE, WHOLE])
@pytest.mark.parametrize("kept", [True, False])
def test_crops_equal_pillows_own(
    scenes: Manifest, cache: EmbeddingCache, framing: Framing, kept: bool
) -> None:
    encoder = CountingEncoder()
    got = collect(scenes, encoder, cache if kept else None, framing=framing, batch_size=4)
    for row, (uri, box) in enumerate(zip(scenes.uris, BOXES * 3, strict=True)):
        window = None if framing == WHOLE else box
        if box is not None and framing == SQUARE:
            window = list(square_window(tuple(map(float, box)), 60, 40, 0.1))
            if any(value != int(value) for value in window):
                continue  # Pillow's crop takes whole pixels only
        # Pillow's crop leaves the filter nothing beyond its edges; a window leaves it the image.
        assert got.pooled[row] @ plain(uri, window, encoder) > (0.97 if window else 0.99999)


def test_an_image_is_read_and_decoded_once_for_all_its_items(
    scenes: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    real = image_loader.decoded
    monkeypatch.setattr(
        image_loader, "decoded", lambda *args, **more: decoded.append(1) or real(*args, **more)
    )
    collect(scenes, CountingEncoder(), None, framing=SQUARE)
    assert len(decoded) == 3


def test_an_image_is_looked_at_once_for_all_its_items(
    scenes: Manifest, cache: EmbeddingCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = list[str]()
    look = scanning.look_at
    monkeypatch.setattr(scanning, "look_at", lambda uri: looked.append(uri) or look(uri))
    for times in (1, 2):
        collect(scenes, CountingEncoder(), cache, framing=SQUARE, batch_size=4)
        assert len(looked) == 3 * times


def test_items_of_one_image_are_kept_apart(scenes: Manifest, cache: EmbeddingCache) -> None:
    first = {f: collect(scenes, CountingEncoder(), cache, framing=f) for f in (TIGHT, SQUARE)}
    again = CountingEncoder()
    for framing, features in first.items():
        batches = list(embed(scenes, again, cache, framing=framing))
        np.testing.assert_array_equal(np.concatenate([b.vectors for b in batches]), features.pooled)
        assert sum(batch.reused for batch in batches) == 15
    assert again.loads == 0
    assert (first[TIGHT].pooled[0] != first[SQUARE].pooled[0]).any()
    np.testing.assert_array_equal(first[TIGHT].pooled[1], first[SQUARE].pooled[1])
    whole = collect(scenes.select(limit=2), again, cache)
    np.testing.assert_array_equal(whole.pooled[0], first[TIGHT].pooled[1])
    assert again.loads == 0


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_boxes_are_in_pixels_of_the_upright_image_also_of_a_reduced_jpeg(
    tmp_path: Path, orientation: int
) -> None:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (15, 20, 3), dtype=np.uint8))
    upright = coarse.resize((2000, 1500), Image.Resampling.BICUBIC)
    back = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}
    back |= {8: Image.Transpose.ROTATE_270}
    stored = upright.transpose(back[orientation]) if orientation in back else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "large.jpg"
    stored.save(path, quality=95, exif=exif)
    boxes = [[100.0, 200, 500, 600], [1500, 1100, 2000, 1500], [0, 0, 1200, 1200]]
    columns = {"id": list("abc"), "uri": [str(path)] * 3, "box": pa.array(boxes, COLUMNS["box"])}
    encoder = CountingEncoder()
    got = collect(Manifest.build("m", columns), encoder, None, framing=TIGHT)
    upright.save(tmp_path / "upright.png")
    for row, box in enumerate(boxes):
        want = plain(str(tmp_path / "upright.png"), box, encoder)
        assert got.pooled[row] @ want > 0.999
        others = [plain(str(tmp_path / "upright.png"), b, encoder) for b in boxes if b != box]
        assert all(got.pooled[row] @ other < got.pooled[row] @ want - 0.001 for other in others)


BAD = [[5, 5, 5, 20], [20, 20, 10, 30], [-30, 0, 10, 40], [50, 50, 60, 60], [10, 10, 58, 60]]
BAD += [[float("nan"), 0, 10, 10]]


@pytest.mark.parametrize("framing", [TIGHT, SQUARE, REGION])
@pytest.mark.parametrize("bad", BAD)
def test_a_box_that_is_none_fails_by_name_and_alone(
    scenes: Manifest, framing: Framing, bad: list[float]
) -> None:
    boxes = pa.array([*BOXES[:3], bad, *BOXES[4:]], COLUMNS["box"])
    table = scenes.table.slice(0, 5)
    place = table.column_names.index("box")
    one = replace(scenes, table=table.set_column(place, "box", boxes))
    failures: list[Failure] = []
    got = collect(one, CountingEncoder(), None, framing=framing, on_failure=failures.append)
    assert got.ids == ("0", "1", "2", "4")
    assert [(each.id, each.stage) for each in failures] == [("3", "crop")]
    assert "x0, y0, x1, y1" in failures[0].reason
    with pytest.raises(ItemError, match="x0, y0, x1, y1"):
        collect(one, CountingEncoder(), None, framing=framing, strict=True)


def test_a_hair_outside_is_cut_off() -> None:
    assert Frame((-0.5, 0.0, 39.0, 40.4), "", TIGHT).window(40, 40) == (0, 0, 39, 40)
    boxes = torch.tensor([[-0.5, 0.0, 39.0, 40.4], [0, 0, 50, 50]])
    assert boxes_inside(boxes, 40, 40).tolist() == [[0, 0, 39, 40], [0, 0, 0, 0]]


def test_regions_are_read_from_one_pass_over_each_image(
    scenes: Manifest, cache: EmbeddingCache
) -> None:
    """Of the squashed image; an item without a box is what it is without regions."""
    encoder = CountingEncoder()
    got = collect(scenes, encoder, cache, framing=REGION)
    for row, (uri, box) in enumerate(zip(scenes.uris, BOXES * 3, strict=True)):
        expected = read_off(uri, box, encoder) if box else plain(uri, None, encoder)
        np.testing.assert_allclose(got.pooled[row], expected, atol=1e-5)
    batches = list(embed(scenes, CountingEncoder(), cache, framing=REGION))
    np.testing.assert_array_equal(np.concatenate([b.vectors for b in batches]), got.pooled)


def read_off(uri: str, box: list[float], encoder: CountingEncoder) -> np.ndarray:
    """The mean of the 4 x 4 patches of the squashed 60 x 40 image, by the area in the box."""
    pixels = replace(encoder.preprocessing, resize="squash")(Image.open(uri).convert("RGB"))
    with torch.no_grad():
        patches = encoder.encode_images(pixels[None], patches=True).patches
    total = np.zeros(64)
    for place, patch in enumerate(patches[0].numpy()):
        x, y = 15 * (place % 4), 10 * (place // 4)
        across = min(x + 15, box[2]) - max(x, box[0])
        down = min(y + 10, box[3]) - max(y, box[1])
        total += max(across, 0) * max(down, 0) * patch
    return total / np.linalg.norm(total)


@pytest.mark.parametrize(("resize", "passes"), [("crop", 2), ("squash", 1)])
def test_an_encoder_that_squashes_keeps_one_feature_of_an_image(
    cache: EmbeddingCache, tmp_path: Path, resize: str, passes: int
) -> None:
    uri = draw(tmp_path / "a.png", 0, 60, 40)
    manifest = Manifest.build("m", {"uri": [uri], "box": pa.array([BOXES[0]], COLUMNS["box"])})
    encoder = CountingEncoder()
    encoder.preprocessing = replace(encoder.preprocessing, resize=resize)
    collect(manifest, encoder, cache, framing=REGION)
    collect(manifest, encoder, cache)
    assert encoder.batches == passes
    assert whole_view(NaFlexPreprocessing((32, 32))) == ""


def test_the_items_of_an_image_that_fails_all_fail(scenes: Manifest, tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no image")
    for framing in (SQUARE, REGION):
        failures: list[Failure] = []
        got = collect(scenes, CountingEncoder(), None, framing=framing, on_failure=failures.append)
        assert [each.id for each in failures] == [str(row) for row in range(5, 10)]
        assert len(got) == 10


def test_views_are_parts_of_the_image_or_of_the_box(tmp_path: Path) -> None:
    uri = draw(tmp_path / "a.png", 0, 60, 40)
    views = ["", "tile:0:1:2", "corner:1:1:0.5", "squash", "pad"]
    columns = {"id": list("abcde"), "uri": [uri] * 5, "view": views}
    encoder = CountingEncoder()
    got = collect(Manifest.build("m", columns), encoder, None, framing=Framing())
    for row, window in enumerate([None, [30, 0, 60, 20], [40, 20, 60, 40], None, None]):
        resize = views[row] if views[row] in ("squash", "pad") else "crop"
        assert got.pooled[row] @ plain(uri, window, encoder, resize) > 0.99
    inner = Frame((0.0, 0.0, 20.0, 20.0), "corner:0:1:0.5", TIGHT).window(40, 40)
    assert inner == (0, 10, 10, 20)


def test_only_one_thing_is_asked_of_an_item(scenes: Manifest) -> None:
    encoder = CountingEncoder()
    tiles = Views.of("tiles", encoder.preprocessing)
    for asked in (
        {"dense": ["patches"], "framing": REGION},
        {"dense": ["patches"], "views": tiles},
        {"views": tiles, "framing": REGION},
    ):
        with pytest.raises(UsageError, match="got two of them"):
            embed(scenes, encoder, None, **asked)
