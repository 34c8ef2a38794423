"""Images decoded once: what the encoder would have been given, and the boxes in it."""

import numpy as np
import pytest
import torch
from PIL import Image

from clipfg.encoders.naflex import NaFlexPreprocessing
from clipfg.errors import UsageError
from clipfg.training import pixels as module
from clipfg.training.pixels import load_pixels
from clipfg.types import Manifest, content_hash
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
