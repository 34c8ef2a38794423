import pytest
import torch

from clipfg.icl import in_order, vote


def test_the_order_of_demonstrations() -> None:
    assert in_order(["best", "good", "fair"], "first") == ["best", "good", "fair"]
    assert in_order(["best", "good", "fair"], "last") == ["fair", "good", "best"]


@pytest.mark.parametrize(
    ("labels", "winner"), [([2, 0, 0], 0), ([2, 0, 1], 2), ([1, 0, 0, 1], 1), ([3, 1, 2, 2, 1], 1)]
)
def test_the_majority_wins_and_ties_go_to_the_nearer(labels, winner) -> None:
    scores = vote(labels, 5)
    assert int(scores.argmax()) == winner
    assert scores[4] == 0
    counts = torch.bincount(torch.tensor(labels), minlength=5)
    assert (
        torch.equal(scores.floor().long() * (counts > 0), counts)
        or ((scores - counts).abs() <= 0.5).all()
    )
