import pytest
import torch

from clipfg.errors import DataError
from clipfg.training.losses.centroids import Centroids
from tests.training.losses.plain import cosine, draw


def test_the_start_is_a_chain_of_farthest_features() -> None:
    features = draw(12, 4)
    rows, chain = features.tolist(), [3]
    while len(chain) < 5:
        left = [i for i in range(12) if i not in chain]
        chain.append(min(left, key=lambda i: cosine(rows[i], rows[chain[-1]])))
    assert torch.equal(Centroids.start(features, 5, first=3).rows, features[chain])


def test_a_chain_of_copies_takes_none_twice() -> None:
    features = torch.ones(4, 3) * torch.arange(1, 5)[:, None]
    rows = Centroids.start(features, 4).rows
    assert sorted(rows[:, 0].tolist()) == [1, 2, 3, 4]


@pytest.mark.parametrize("k", [1, 7])
def test_an_impossible_number_is_refused(k) -> None:
    with pytest.raises(DataError, match=f"from 2 to 6 centroids.*got {k}"):
        Centroids.start(draw(6, 4), k)


def test_nearest_are_the_two_most_similar() -> None:
    features, centroids = draw(9, 4), Centroids(draw(5, 4, seed=1))
    for row, got in zip(features.tolist(), centroids.nearest(features).tolist(), strict=True):
        order = sorted(range(5), key=lambda c: -cosine(row, centroids.rows[c].tolist()))
        assert got == order[:2]


def test_centroids_move_towards_the_mean_of_their_features() -> None:
    centroids = Centroids(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    features = torch.tensor([[2.0, 0.1], [4.0, 0.3], [0.0, 3.0]], requires_grad=True)
    moved = centroids.moved(features, momentum=0.5)
    torch.testing.assert_close(moved.rows, torch.tensor([[2.0, 0.1], [0.0, 2.0], [-1.0, 0.0]]))
    assert not moved.rows.requires_grad
    assert torch.equal(centroids.rows[0], torch.tensor([1.0, 0.0]))  # as it was
    assert torch.equal(centroids.moved(features, momentum=0.0).rows, centroids.rows)
