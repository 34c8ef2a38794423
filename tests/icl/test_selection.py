import pytest
import torch

from clipfg.icl import in_order, vote


def test_the_order_of_demonstrations() -> None:
    assert in_order(["best", "good", "fair"], "first") == ["best", "good", "fair"]
    assert in_order(["best", "good", "fair"], "last") == ["fair", "good", "best"]


@pytest.mark.parametrize(
    ("labels", "winner"), [([2, 0, 0], 0), ([2, 0, 1], 2), ([1, 0, 0, 1], 1), ([3, 1, 2, 2, 1], 1)]
)
def test_equally_similar_ones_count_alike_and_ties_go_to_the_nearer(labels, winner) -> None:
    scores = vote(labels, [0.7] * len(labels), 5)
    assert int(scores.argmax()) == winner
    assert scores[4] == 0
    counts = torch.bincount(torch.tensor(labels), minlength=5)
    torch.testing.assert_close(scores, counts.float(), atol=1.1e-3, rtol=0)


def test_a_vote_counts_by_similarity() -> None:
    labels, similar = [3, 1, 1, 0], [0.9, 0.8, 0.79, 0.5]
    scores = vote(labels, similar, 5)
    expected = torch.zeros(5)
    for label, own in zip(labels, similar, strict=True):
        expected[label] += torch.tensor((own - 0.9) / 0.08).exp()
    torch.testing.assert_close(scores, expected, atol=1.1e-3, rtol=0)
    assert int(scores.argmax()) == 3  # two others that are far less similar do not outvote it
    assert int(vote(labels, [0.9, 0.89, 0.88, 0.5], 5).argmax()) == 1
    torch.testing.assert_close(vote(labels, [s - 0.4 for s in similar], 5), scores)
    assert not vote([], [], 3).any()
