import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from clipfg.quality.image_similarity import sketch
from clipfg.quality.picture_faults import picture_faults, sharpest_edges


def photo(seed: int = 0) -> Image.Image:
    """Leaves before a sky, more or less: edges at all scales."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(rng.integers(0, 256, (n, n), dtype=np.uint8)).resize((256, 256)), float
        )
        for n in (4, 16, 64, 128)
    ]
    return Image.fromarray(np.clip(sum(layers) / 4 * 1.6 - 60, 0, 255).astype(np.uint8))


def faults(image: Image.Image, size: tuple[int, int] = (256, 256)) -> list[str]:
    return [kind for kind, _, _ in picture_faults(sketch(image), *size)]


def noisy_grey(level: int) -> Image.Image:
    noise = np.random.default_rng(0).normal(level, 3, (256, 256))
    return Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))


EDITS = {
    "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.3),
    "washed-out": lambda image: image.point(lambda v: min(255, int(1.2 * v + 150))),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(5)),
    "uniform": lambda image: noisy_grey(200),
}


@pytest.mark.parametrize("kind", EDITS)
def test_a_fault_is_told_by_its_name_alone(kind) -> None:
    for seed in range(3):
        assert faults(photo(seed)) == []
        assert faults(EDITS[kind](photo(seed))) == [kind]


def test_a_strip_is_told_by_the_sides_of_the_picture() -> None:
    assert faults(photo(), (1000, 300)) == ["strip"]
    assert faults(photo(), (200, 700)) == ["strip"]
    assert faults(photo(), (1600, 900)) == []


def test_the_worse_comes_first() -> None:
    scores = [
        next(iter(picture_faults(sketch(ImageEnhance.Brightness(photo()).enhance(x)), 9, 9)))[1]
        for x in (0.15, 0.3)
    ]
    assert scores[0] > scores[1]


def test_edges_against_a_plain_loop() -> None:
    x = sketch(photo()).astype(float)
    values = [
        abs(4 * x[i, j] - x[i - 1, j] - x[i + 1, j] - x[i, j - 1] - x[i, j + 1])
        for i in range(1, 63)
        for j in range(1, 63)
    ]
    assert sharpest_edges(sketch(photo())) == pytest.approx(np.quantile(values, 0.99))
