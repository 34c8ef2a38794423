import pytest
import torch

from clipfg.icl import DEMONSTRATIONS, Neighbours, in_order, vote


@pytest.fixture(params=list(DEMONSTRATIONS))
def strategy(request):
    return DEMONSTRATIONS.get(request.param)()


def test_it_goes_by_its_registered_name(strategy) -> None:
    assert type(DEMONSTRATIONS.get(strategy.name)()) is type(strategy)


@pytest.mark.parametrize("shots", [1, 3, 200])
def test_each_is_chosen_once_and_within_reach(strategy, neighbours, shots) -> None:
    chosen = strategy.choose(neighbours, shots).tolist()
    reach = strategy.reach(shots)
    assert len(set(chosen)) == len(chosen) == min(shots, len(neighbours))
    assert all(position < (len(neighbours) if reach is None else reach) for position in chosen)


def test_none_of_none_is_none(strategy) -> None:
    empty = Neighbours(torch.empty(0), torch.empty(0, 8), torch.empty(0).long(), torch.empty(0))
    assert strategy.choose(empty, 3).tolist() == []


def test_orders() -> None:
    assert in_order(["best", "good", "fair"], "first") == ["best", "good", "fair"]
    assert in_order(["best", "good", "fair"], "last") == ["fair", "good", "best"]


@pytest.mark.parametrize(
    ("labels", "winner"), [([2, 0, 0], 0), ([2, 0, 1], 2), ([1, 0, 0, 1], 1), ([3, 1, 2, 2, 1], 1)]
)
def test_the_majority_wins_and_of_equals_the_nearer(labels, winner) -> None:
    scores = vote(labels, 5)
    assert int(scores.argmax()) == winner
    assert scores[4] == 0
    counts = torch.bincount(torch.tensor(labels), minlength=5)
    assert (
        torch.equal(scores.floor().long() * (counts > 0), counts)
        or ((scores - counts).abs() <= 0.5).all()
    )
