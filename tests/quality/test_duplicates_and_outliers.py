from itertools import combinations, product

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageOps

from clipfg.functional.neighbours import nearest_neighbours
from clipfg.functional.similarity import unit_norm
from clipfg.quality.duplicates import near_pairs
from clipfg.quality.image_similarity import likeness, sketch, tile_likeness
from clipfg.quality.outliers import outliers
from clipfg.quality.perceptual_hash import close_pairs, dhash


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


def test_a_caption_or_a_bar_does_not_hide_a_copy() -> None:
    whole = image(0)
    for edge in (0, 102):
        barred = whole.copy()
        ImageDraw.Draw(barred).rectangle((0, edge, 160, edge + 18), fill="black")
        assert likeness(sketch(whole), sketch(barred)) >= 0.95
        assert likeness(sketch(ImageOps.mirror(whole)), sketch(barred)) >= 0.95
        assert max(likeness(sketch(image(seed)), sketch(barred)) for seed in range(1, 10)) < 0.9


def test_crops_are_pillows() -> None:
    """The largest correlation over crops that Pillow cuts and resizes."""

    def unit(part: Image.Image) -> np.ndarray:
        x = np.asarray(part, dtype=np.float64).ravel() - np.asarray(part).mean()
        return x / np.linalg.norm(x)

    one, other = (Image.fromarray(sketch(image(seed))) for seed in (3, 4))
    expected = []
    for whole, cut in ((one, other), (other, one)):
        own = [
            unit(x.resize((32, 32), Image.Resampling.BOX)) for x in (whole, ImageOps.mirror(whole))
        ]
        parts = [unit(cut.resize((32, 32), Image.Resampling.BOX))]
        for scale, x, y in product((0.95, 0.9, 0.85, 0.8), *[(0.0, 1 / 3, 0.5, 2 / 3, 1.0)] * 2):
            left, top, side = (1 - scale) * 64 * x, (1 - scale) * 64 * y, scale * 64
            box = (left, top, left + side, top + side)
            parts.append(unit(cut.resize((32, 32), Image.Resampling.BILINEAR, box=box)))
        expected.append(max(float(a @ b) for a in own for b in parts))
    found = likeness(np.asarray(one), np.asarray(other))
    assert found == pytest.approx(max(expected), abs=0.01)  # Pillow rounds to grey levels
    assert found > tile_likeness(np.asarray(one), np.asarray(other))


def test_hashes_say_where_an_image_gets_brighter() -> None:
    grey = sketch(image(5))
    small = np.asarray(Image.fromarray(grey).resize((9, 8), Image.Resampling.BOX)).astype(int)
    bits = [small[y, x + 1] > small[y, x] for y in range(8) for x in range(8)]
    assert np.unpackbits(np.array([dhash(grey)]).view(np.uint8)).tolist() == bits


def test_close_hashes_against_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 1 << 63, 300, dtype=np.uint64)
    mirrored = rng.integers(0, 1 << 63, 300, dtype=np.uint64)
    for at in range(40):  # up to 9 bits off another, or off the mirror image of another
        flips = rng.choice(64, at % 10, replace=False).astype(np.uint64)
        error = np.bitwise_xor.reduce(np.uint64(1) << flips) if len(flips) else np.uint64(0)
        hashes[100 + at] = (hashes if at % 2 else mirrored)[at] ^ error
    found = close_pairs(hashes, mirrored)
    expected = {}
    for i, j in combinations(range(300), 2):
        pairs = ((hashes[i], hashes[j]), (mirrored[i], hashes[j]), (mirrored[j], hashes[i]))
        fewest = min(int(a ^ b).bit_count() for a, b in pairs)
        if fewest <= 7:
            expected[i, j] = 1 - fewest / 64
    pairs = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert dict(zip(pairs, found.cosines.tolist(), strict=True)) == expected
    assert len(pairs) == len(expected) >= 30
    assert found.cosines.tolist() == sorted(found.cosines.tolist(), reverse=True)
    none = np.empty(0, np.uint64)
    assert len(close_pairs(none, none).first) == 0


def test_of_many_alike_every_one_is_in_a_pair() -> None:
    hashes = np.zeros(500, np.uint64)
    found = close_pairs(hashes, ~hashes)
    assert len(torch.cat([found.first, found.second]).unique()) == 500
