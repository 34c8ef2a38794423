from pathlib import Path

import pytest

from clipfg.embedding.cache import EmbeddingCache
from clipfg.types import ClassList, Manifest
from tests.embedding.drawn_images import draw, refuse


@pytest.fixture
def images(tmp_path: Path, settled: None) -> list[str]:
    folder = tmp_path / "images"
    folder.mkdir()
    return [draw(folder / f"{seed:03}.png", seed) for seed in range(50)]


@pytest.fixture
def manifest(images: list[str]) -> Manifest:
    labels = [i % 3 for i in range(len(images))]
    splits = ["train" if i % 2 else "test" for i in range(len(images))]
    columns = {"uri": images, "label": labels, "split": splits}
    return Manifest.build("images", columns, ClassList(("a", "b", "c")))


@pytest.fixture
def cache(tmp_path: Path):
    with EmbeddingCache(tmp_path / "kept", warn=refuse) as cache:
        yield cache
