import numpy as np
import torch
from PIL import Image, ImageOps

from clipfg.functional.neighbours import nearest_neighbours
from clipfg.functional.similarity import unit_norm
from clipfg.quality.duplicates import near_pairs
from clipfg.quality.image_similarity import likeness, sketch
from clipfg.quality.outliers import outliers


def rows(n=30, seed=0):
    return unit_norm(torch.randn(n, 6, generator=torch.Generator().manual_seed(seed)))


def test_near_pairs_against_a_plain_loop() -> None:
    x = rows()
    found = near_pairs(*nearest_neighbours(x, 29), 0.5)
    expected = {(i, j): float(x[i] @ x[j]) for i in range(30) for j in range(i + 1, 30)}
    expected = {pair: cosine for pair, cosine in expected.items() if cosine >= 0.5}
    pairs = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert set(pairs) == set(expected)
    assert len(pairs) == len(expected) > 5
    assert pairs == sorted(pairs, key=lambda pair: -expected[pair])


def test_no_pairs() -> None:
    assert len(near_pairs(*nearest_neighbours(torch.eye(4), 3), 0.5).first) == 0


def test_an_outlier_lies_beyond_tukeys_outer_fence() -> None:
    x = unit_norm(torch.cat([rows() * 0.1 + 1, -torch.ones(1, 6)]))
    cosines, _ = nearest_neighbours(x, 5)
    found = outliers(cosines)
    distances = 1 - cosines.double().numpy().mean(axis=1)
    low, high = np.percentile(distances, [25, 75])
    np.testing.assert_allclose(found.fence, high + 3 * (high - low), rtol=1e-3)
    assert found.far.nonzero().flatten().tolist() == [30]


def image(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((160, 120), Image.Resampling.BICUBIC)


def test_an_image_is_similar_only_to_its_edited_copies() -> None:
    whole = image(0)
    edits = {
        "itself": whole,
        "cropped": whole.crop((5, 4, 150, 112)),
        "small": whole.resize((50, 40)),
        "mirrored": ImageOps.mirror(whole),
        "grey": whole.convert("L"),
    }
    for name, edit in edits.items():
        assert likeness(sketch(whole), sketch(edit)) >= 0.95, name
    others = [likeness(sketch(whole), sketch(image(seed))) for seed in range(1, 30)]
    assert max(others) < 0.9


def test_single_colour_images_are_similar_to_nothing() -> None:
    plain = sketch(Image.new("RGB", (9, 9), "teal"))
    assert likeness(plain, plain) == 0
