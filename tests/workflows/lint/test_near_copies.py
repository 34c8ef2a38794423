import numpy as np
import pytest
import torch
from PIL import Image

from clipfg.embedding import near_copies
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.near_copies import find_near_copies
from clipfg.embedding.thumbnails import Thumbnails
from clipfg.functional.neighbours import nearest_neighbours
from clipfg.functional.similarity import unit_norm
from clipfg.quality.image_similarity import sketch
from clipfg.quality.perceptual_hash import dhash
from clipfg.workflows.lint import checks
from clipfg.workflows.lint.checks import neighbours_of


@pytest.fixture
def uris(tmp_path) -> list[str]:
    """Thirty pictures and a copy of each, saved anew: 0 and 30 are one, 1 and 31, ...."""
    places = []
    for again in (False, True):
        for seed in range(30):
            noise = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
            path = tmp_path / f"{seed}{'.jpg' if again else '.png'}"
            Image.fromarray(noise).resize((90, 90), Image.Resampling.BICUBIC).save(path)
            places.append(str(path))
    return places


@pytest.mark.parametrize("source", ["cosine", "hash"])
def test_no_cap_ends_the_search_while_it_finds_copies(source, uris, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(near_copies, "PAIRS", 2)
    monkeypatch.setattr(near_copies, "BLOCK", 4)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 8, generator=generator)
    other = x + 1e-3 * torch.randn(30, 8, generator=generator)
    if source == "hash":  # the encoder takes each for something else
        other = torch.randn(30, 8, generator=generator)
    cosines, neighbours = nearest_neighbours(unit_norm(torch.cat([x, other])), 10)
    with EmbeddingCache(tmp_path / "cache") as cache:
        thumbnails = Thumbnails(cache)
        hashes = {
            uri: (dhash(small.grey), dhash(small.grey[:, ::-1]))
            for uri, small in thumbnails.of(uris)
            if small is not None and source == "hash"
        }
        found = list(find_near_copies(uris, cosines, neighbours, hashes, thumbnails))
    assert {(a, b) for a, b, *_ in found} == {(i, i + 30) for i in range(30)}
    assert all(measure == "pixel correlation" for *_, measure in found)


def test_thumbnails_are_of_pictures_alone_and_know_their_size(uris, tmp_path) -> None:
    Image.open(uris[0]).resize((300, 100)).save(tmp_path / "wide.jpg")
    wanted = [uris[0], "features of no file", str(tmp_path / "wide.jpg"), uris[0]]
    with EmbeddingCache(tmp_path / "cache") as cache:
        for _ in range(2):  # made, then kept
            found = dict(Thumbnails(cache).of(wanted))
            assert list(found) == wanted[:3]
            assert found["features of no file"] is None
            assert (found[wanted[2]].width, found[wanted[2]].height) == (300, 100)
            np.testing.assert_array_equal(found[uris[0]].grey, sketch(Image.open(uris[0])))


def test_neighbours_of_many_rows_are_those_of_an_exact_search(monkeypatch) -> None:
    x = unit_norm(torch.randn(900, 12, generator=torch.Generator().manual_seed(0)))
    x[7] = x[11]  # equal rows: not each its own neighbour
    exact, _ = nearest_neighbours(x, 5)
    monkeypatch.setattr(checks, "EXACT", 100)
    cosines, near = neighbours_of(x, 5, 0)
    assert (near != torch.arange(900)[:, None]).all()
    torch.testing.assert_close(cosines, torch.stack([x[i] @ x[near[i]].T for i in range(900)]))
    assert (cosines >= exact[:, -1:] - 1e-5).float().mean() > 0.95
    assert int(near[7, 0]) == 11
