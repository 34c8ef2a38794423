import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from clipfg.errors import DataError
from clipfg.functional.kmeans import _start, draw_apart, kmeans


def rows(n: int = 60, d: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=generator) + 4 * torch.eye(d)[torch.arange(n) % 3]


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(4)


@pytest.mark.parametrize("k", [2, 3, 7, 20])
def test_from_the_same_start_it_ends_as_scikit_learn(k) -> None:
    x = rows()
    start = x[_start(x, k, seeded())].numpy()
    reference = KMeans(k, init=start, n_init=1, tol=0, algorithm="lloyd").fit(x.numpy())
    got = kmeans(x, k, seeded())
    np.testing.assert_allclose(got.centres, reference.cluster_centers_, atol=1e-5)
    assert got.members.tolist() == reference.labels_.tolist()


def test_the_start_is_spread_over_distant_groups() -> None:
    x = 0.01 * rows() + 10 * torch.eye(5)[torch.arange(60) % 3]
    for seed in range(20):
        start = _start(x, 3, torch.Generator().manual_seed(seed))
        assert len(set((start % 3).tolist())) == 3


def test_the_start_is_greedy() -> None:
    """On average it leaves a smaller sum of squares than rows drawn one at a time by distance."""
    x = rows(200)

    def left(start: torch.Tensor) -> float:
        return float(torch.cdist(x, x[start]).amin(dim=1).square().sum())

    def plain(generator: torch.Generator) -> torch.Tensor:
        return draw_apart(0, 12, lambda i: (x - x[i]).square().sum(dim=1), generator)

    seeds = [torch.Generator().manual_seed(seed) for seed in range(20)]
    greedy, one_by_one = (
        sum(left(start(generator)) for generator in seeds)
        for start in (lambda generator: _start(x, 12, generator), plain)
    )
    assert greedy < 0.95 * one_by_one


def test_starts_differ_where_rows_are_copies() -> None:
    x = torch.ones(6, 3)
    assert sorted(_start(x, 6, seeded()).tolist()) == [*range(6)]


def test_one_centre_is_the_mean_and_one_for_each_row_are_the_rows() -> None:
    x = rows(6)
    torch.testing.assert_close(kmeans(x, 1, seeded()).centres, x.mean(dim=0, keepdim=True))
    got = kmeans(x, 6, seeded())
    torch.testing.assert_close(got.centres[got.members], x)


def test_no_centre_stays_empty() -> None:
    x = torch.cat((torch.zeros(5, 2), torch.ones(1, 2)))
    got = kmeans(x, 4, seeded())
    assert torch.bincount(got.members, minlength=4).min() >= 1
    assert torch.isfinite(got.centres).all()


@pytest.mark.parametrize("k", [0, 7])
def test_an_impossible_k_is_refused(k) -> None:
    with pytest.raises(DataError, match="from 1 to 6"):
        kmeans(rows(6), k, seeded())
