"""Patches of further views at the places of the image's own."""

import numpy as np
import pytest
import torch
from PIL import Image

from clipfg.embedding.framing import Framing
from clipfg.embedding.patch_views import AlignedView, aligned_views, collect_patch_views
from clipfg.embedding.pipeline import collect
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.errors import DataError
from clipfg.heads import FeatureSets
from clipfg.types import Manifest
from tests.embedding.counting_encoder import CountingEncoder


def ramp(rows: int, columns: int) -> torch.Tensor:
    """A map whose values are its cells' centres `x, y`, from -1 to 1."""
    y, x = ((2 * torch.arange(cells) + 1) / cells - 1 for cells in (rows, columns))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def test_a_mirrored_map_is_turned_back() -> None:
    map_ = ramp(3, 4)
    found = AlignedView("mirrored ", mirrored=True).placed(map_.flip(1), (3, 4))
    torch.testing.assert_close(found, map_)


def test_a_closer_look_is_put_where_it_belongs() -> None:
    # seen through the middle three quarters, the whole map's places are these
    closer = 0.75 * ramp(8, 8)
    found = AlignedView("", share=0.75).placed(closer, (8, 8))
    inside = (ramp(8, 8).abs() <= 0.75).all(dim=-1)
    assert 0 < inside.sum() < 64
    middle = (ramp(8, 8).abs() <= 0.6).all(dim=-1)  # beyond the outermost centres values are kept
    torch.testing.assert_close(found[middle], ramp(8, 8)[middle])
    assert (found[~inside] == 0).all()


def test_only_square_crops_have_a_middle_of_known_place() -> None:
    assert len(aligned_views(Preprocessing((32, 32)))) == 2
    assert len(aligned_views(Preprocessing((32, 32), resize="squash"))) == 1
    assert len(aligned_views(Preprocessing((32, 64)))) == 1


@pytest.fixture
def manifest(tmp_path) -> Manifest:
    noise = np.random.default_rng(0)
    paths = [tmp_path / f"{row}.png" for row in range(3)]
    for path in paths:
        Image.fromarray(noise.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(path)
    return Manifest.build("x", {"id": list("abc"), "uri": [str(path) for path in paths]})


def test_views_are_those_that_the_encoder_gives_of_changed_images(manifest) -> None:
    encoder = CountingEncoder()
    own = FeatureSets.of_patches(collect(manifest, encoder, None, dense=["patches"]))
    placed = collect_patch_views(manifest, own, encoder, None, framing=Framing("whole"))
    assert placed.shape == (2, 3 * 16, 64)
    for row, uri in enumerate(manifest.uris):
        image = Image.open(uri)
        mirrored = encoder.preprocessing(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
        with torch.inference_mode():
            expected = encoder.encode_images(mirrored[None], patches=True).patches[0]
        expected = expected.unflatten(0, (4, 4)).flip(1).flatten(0, 1)
        found = placed[0, 16 * row : 16 * (row + 1)].float()
        torch.testing.assert_close(found, expected, atol=5e-3, rtol=5e-3)
    shown = placed[1].any(dim=1).unflatten(0, (3, 4, 4))
    assert shown[:, 1:3, 1:3].all()  # of 4 cells' centres two each way are in the middle 3/4


def test_a_lost_image_is_reported(manifest, tmp_path) -> None:
    encoder = CountingEncoder()
    own = FeatureSets.of_patches(collect(manifest, encoder, None, dense=["patches"]))
    (tmp_path / "1.png").unlink()
    with pytest.raises(DataError, match=r"the 3 images.*1 cannot be read.*1\.png"):
        collect_patch_views(manifest, own, encoder, None)
