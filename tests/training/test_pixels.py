"""Images decoded once: what the encoder would have been given, and the boxes in it."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from clipfg.data.sources import read
from clipfg.embedding.framing import Framing
from clipfg.encoders.naflex import NaFlexPreprocessing
from clipfg.errors import UsageError
from clipfg.training import pixels as module
from clipfg.training.pixels import load_pixels
from clipfg.types import BOX, COLUMNS, Manifest, content_hash
from tests import checkpoints
from tests.training import material


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        Image.fromarray(rng.integers(0, 256, (60, 90, 3), dtype=np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    (tmp_path / "broken.png").write_bytes(b"no picture")
    return tmp_path


def manifest_of(folder, names) -> Manifest:
    box = [{"box": [30.0, 15.0, 60.0, 45.0], "phrase": "middle"}]
    return Manifest.build(
        "some",
        {
            "id": names,
            "uri": [str(folder / f"{name}.png") for name in names],
            "regions": [box if name == "a" else None for name in names],
        },
    )


def test_pixels_are_those_that_the_encoder_takes(clip, folder) -> None:
    found = load_pixels(manifest_of(folder, ["a", "b"]), clip.preprocessing)
    for image, name in zip(found.images, ("a", "b"), strict=True):
        assert image.equal(clip.preprocessing(Image.open(folder / f"{name}.png")))
    assert found.contents == tuple(
        content_hash((folder / f"{name}.png").read_bytes()) for name in ("a", "b")
    )
    boxes = clip.preprocessing.map_boxes(torch.tensor([[30.0, 15.0, 60.0, 45.0]]), 90, 60)
    torch.testing.assert_close(found.boxes[0], boxes)
    assert found.boxes[1].shape == (0, 4)


def test_what_cannot_be_used_is_told_and_left_out(clip, folder) -> None:
    failures, told = [], []
    found = load_pixels(
        manifest_of(folder, ["a", "broken", "b"]),
        clip.preprocessing,
        on_failure=failures.append,
        progress=lambda done, of: told.append((done, of)),
    )
    assert found.rows.tolist() == [0, 2]
    assert len(found) == len(found.boxes) == len(found.contents) == 2
    assert [one.id for one in failures] == ["broken"]
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert not len(load_pixels(manifest_of(folder, ["broken"]), clip.preprocessing))


BOXES = [[0.0, 0.0, 30.0, 30.0], [20.0, 10.0, 70.0, 50.0], None]


def parts_of(folder, names, boxes, **more) -> Manifest:
    """An item for each name and box."""
    columns = {
        "id": [str(number) for number in range(len(names))],
        "uri": [str(folder / f"{name}.png") for name in names],
        "box": pa.array(boxes, BOX),
    }
    return Manifest.build("parts", columns | more)


@pytest.mark.parametrize("crop", ["square", "tight", "whole"])
def test_boxes_are_cut_out_as_for_the_cache(clip, folder, crop) -> None:
    """Equal boxes of two pictures, a picture that comes again later, and an item without a box."""
    names, boxes = ["a", "a", "a", "b", "b", "a"], [*BOXES, *BOXES[:2], BOXES[1]]
    found = load_pixels(parts_of(folder, names, boxes), clip.preprocessing, framing=Framing(crop))
    for pixels, name, box in zip(found.images, names, boxes, strict=True):
        with Image.open(folder / f"{name}.png") as file:
            image = file.copy()
        x0, y0, x1, y1 = window = (
            (0.0, 0.0, *map(float, image.size)) if box is None or crop == "whole" else box
        )
        if crop == "square" and box is not None:
            side = 1.2 * max(x1 - x0, y1 - y0)
            wide, high = min(side, image.width), min(side, image.height)
            left = min(max((x0 + x1 - wide) / 2, 0), image.width - wide)
            top = min(max((y0 + y1 - high) / 2, 0), image.height - high)
            window = (float(left), float(top), float(left + wide), float(top + high))
        assert pixels.equal(clip.preprocessing(image, tuple(window)))
    assert found.images[1].equal(found.images[5])
    if crop != "whole":
        assert not found.images[0].equal(found.images[3])


def test_an_image_is_decoded_once_for_items_that_follow_one_another(
    clip, folder, monkeypatch
) -> None:
    reads = []
    monkeypatch.setattr(module, "read", lambda uri: reads.append(uri) or read(uri))
    names = ["a"] * 5 + ["b"] + ["a"]
    parts = parts_of(folder, names, [BOXES[0]] * 7)
    found = load_pixels(parts, clip.preprocessing, framing=Framing())
    assert len(reads) == 3
    monkeypatch.setattr(module, "TOGETHER", 2)
    assert load_pixels(parts, clip.preprocessing, framing=Framing()).images.equal(found.images)
    assert len(reads) == 3 + 5


def test_boxes_that_are_none_cost_an_item_each(clip, folder) -> None:
    names = ["a", "a", "a", "a", "broken", "broken"]
    outside, empty, no_number = [80.0, 10, 120, 50], [9.0, 9, 9, 9], [float("nan"), 0, 5, 5]
    boxes = [BOXES[0], outside, empty, no_number, BOXES[0], BOXES[1]]
    failures = []
    found = load_pixels(
        parts_of(folder, names, boxes),
        clip.preprocessing,
        framing=Framing(),
        on_failure=failures.append,
    )
    assert found.rows.tolist() == [0]
    assert [one.id for one in failures] == ["1", "2", "3", "4", "5"]
    assert [one.stage for one in failures] == ["crop"] * 3 + ["decode"] * 2
    assert "which lies outside" in failures[0].reason


def test_regions_lie_within_their_cut_out(clip, folder) -> None:
    regions = pa.array([[{"box": [30.0, 20, 50, 40], "phrase": None}]], COLUMNS["regions"])
    parts = parts_of(folder, ["a"], [BOXES[1]], regions=regions)
    found = load_pixels(parts, clip.preprocessing, framing=Framing("tight"))
    wanted = clip.preprocessing.map_boxes(torch.tensor([[10.0, 10, 30, 30]]), 50, 40)
    torch.testing.assert_close(found.boxes[0], wanted)


def test_a_file_holds_what_memory_does_not(clip, folder, monkeypatch) -> None:
    manifest = manifest_of(folder, ["a", "b"])
    wanted = load_pixels(manifest, clip.preprocessing).images
    monkeypatch.setattr(module, "IN_MEMORY", 0.0)
    found = load_pixels(manifest, clip.preprocessing).images
    assert found.equal(wanted)


def test_encoders_for_any_shape_are_refused(tmp_path, folder) -> None:
    encoder = material.opened(checkpoints.siglip2_naflex(tmp_path / "naflex"))
    assert isinstance(encoder.preprocessing, NaFlexPreprocessing)
    with pytest.raises(UsageError, match="images of one size"):
        load_pixels(manifest_of(folder, ["a"]), encoder.preprocessing)
