"""NaFlex sizes, against a slow search and against transformers' own function."""

import math

import numpy as np
import pytest
import torch

from clipfg.encoders import load_encoder
from clipfg.encoders.fgclip.encoder import BUDGETS
from clipfg.encoders.naflex import NaFlexPreprocessing, cut_patches, naflex_grid

SHAPES = [
    *[(224, 224), (333, 500), (500, 333), (1024, 768), (4000, 3000), (37, 53), (1, 1), (16, 16)],
    *[(3, 90), (1920, 1080), (5000, 20), (1, 10000), (12345, 7), (640, 480), (511, 513)],
]


def slowly(height: int, width: int, budget: int) -> tuple[int, int]:
    """The grid just before the first scale that does not fit, among all at which it changes."""

    def grid(scale: float) -> tuple[int, int]:
        return math.ceil(height * scale / 16), math.ceil(width * scale / 16)

    steps = {16 * k / side for side in (height, width) for k in range(budget + 1)} | {100.0}
    fitting = [
        s for s in sorted(steps) if 0 < s <= 100 and math.prod(grid(s * (1 - 1e-9))) <= budget
    ]
    return grid(fitting[-1] * (1 - 1e-9))


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("shape", SHAPES)
def test_sizes(shape, budget) -> None:
    from transformers.models.siglip2.image_processing_siglip2 import (
        get_image_size_for_max_num_patches,
    )

    rows, columns = naflex_grid(*shape, 16, budget)
    assert (16 * rows, 16 * columns) == get_image_size_for_max_num_patches(*shape, 16, budget)
    assert min(rows, columns) >= 1
    assert rows * columns <= budget
    if max(shape) * 1e-5 < 1:  # else the scale's own tolerance may cost a patch
        assert (rows, columns) == slowly(*shape, budget)


@pytest.mark.parametrize(
    ("width", "height", "budget"),
    [
        (16, 16, 128),
        (128, 271, 128),  # 8 x 16
        (144, 256, 256),  # 9 x 16 = 144
        (256, 256, 256),
        (272, 256, 576),
        (384, 384, 576),
        (400, 384, 784),
        (448, 448, 784),
        (464, 448, 1024),
        (4000, 3000, 1024),
        (10000, 15, 128),  # no whole patch
    ],
)
def test_the_budget_comes_from_the_images_own_size(width, height, budget) -> None:
    preprocessing = NaFlexPreprocessing((512, 512), "squash", budgets=BUDGETS)
    rows, columns = naflex_grid(height, width, 16, budget)
    assert preprocessing.target(width, height) == (16 * columns, 16 * rows)


def test_patches_are_cut_by_row_column_and_channel() -> None:
    image = torch.randint(0, 256, (3, 32, 48), dtype=torch.uint8)
    rows = cut_patches(image, 16)
    assert rows.shape == (6, 768)
    for place, row in enumerate(rows):
        top, left = 16 * (place // 3), 16 * (place % 3)
        own = image[:, top : top + 16, left : left + 16].permute(1, 2, 0)
        assert torch.equal(row, own.flatten())


def test_passes_have_one_shape_for_each_budget() -> None:
    preprocessing = NaFlexPreprocessing((512, 512), "squash", budgets=BUDGETS)
    sizes = [(16, 16), (512, 512), (256, 256), (160, 160), (512, 496)] * 4
    pixels = [torch.full((3, *size), 200, dtype=torch.uint8) for size in sizes]
    seen = []
    for places, batch in preprocessing.passes(pixels, torch.device("cpu")):
        seen += places
        rows, budget, _ = batch.patches.shape
        assert rows == min(20, 4096 // budget)
        assert not batch.patches[~batch.mask].any()
        for row, place in enumerate(places):
            height, width = sizes[place]
            assert batch.shapes[row].tolist() == [height // 16, width // 16]
            assert batch.mask[row].sum() == height * width // 256
    assert sorted(seen) == list(range(20))


@pytest.mark.parametrize("kind", ["siglip2-naflex", "fgclip-2"])
def test_any_number_of_images_of_any_shape_go_through_the_pipeline(folders, kind, tmp_path) -> None:
    from PIL import Image

    from clipfg.data.readers.pictures import read_images
    from clipfg.embedding.cache import EmbeddingCache
    from clipfg.embedding.pipeline import collect

    encoder = load_encoder(str(folders[kind]), precision="fp32", device="cpu")
    sizes = [(37, 53), (333, 500), (500, 120), (64, 64), (301, 20), (3, 90), (640, 640)]
    images = []
    for number, size in enumerate(sizes):
        noise = np.random.default_rng(number).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
        images.append(Image.fromarray(noise))
        images[-1].save(tmp_path / f"{number}.png")
    manifest = read_images([tmp_path])
    cache = EmbeddingCache(tmp_path / "cache")
    found = collect(manifest, encoder, cache, dense=["patches"], batch_size=4)
    for row, image in enumerate(images):
        pixels = encoder.preprocessing(image)
        alone = encoder.encode_images([pixels], patches=True)
        pooled = torch.nn.functional.normalize(alone.pooled)[0].numpy()
        np.testing.assert_allclose(found.pooled[row], pooled, atol=2e-6)
        patch = encoder.preprocessing.patch
        assert found.patches[row].shape[:2] == tuple(side // patch for side in pixels.shape[1:])
        flat = found.patches[row].reshape(-1, encoder.dim)
        np.testing.assert_allclose(flat, alone.patches[0].numpy(), atol=0.02, rtol=2e-3)
    again = collect(manifest, encoder, cache, dense=["patches"], batch_size=4)
    np.testing.assert_array_equal(again.pooled, found.pooled)
    whole = collect(manifest, encoder, None, batch_size=4).pooled
    part = EmbeddingCache(tmp_path / "part")
    collect(read_images([tmp_path / "2.png"]), encoder, part)
    cache.close(), part.close()
    np.testing.assert_array_equal(whole, found.pooled)
