import pytest
import torch

from clipfg.functional.similarity import unit_norm
from clipfg.icl import Neighbours
from clipfg.icl.diverse import Diverse


def greedy(neighbours: Neighbours, shots: int, relevance: float) -> list[int]:
    keys = [key.double() for key in neighbours.keys]
    chosen: list[int] = []
    while len(chosen) < shots:
        best, best_gain = -1, float("-inf")
        for i in range(len(keys)):
            if i in chosen:
                continue
            near = max((float(keys[i] @ keys[j]) for j in chosen), default=0.0)
            gain = relevance * float(neighbours.similarities[i]) - (1 - relevance) * near
            if gain > best_gain:
                best, best_gain = i, gain
        chosen.append(best)
    return chosen


@pytest.mark.parametrize("relevance", [0.2, 0.5, 0.8])
def test_it_equals_the_plain_loop(neighbours, relevance) -> None:
    chosen = Diverse(relevance=relevance).choose(neighbours, 6).tolist()
    assert chosen == greedy(neighbours, 6, relevance)


def test_with_relevance_one_it_equals_nearest(neighbours) -> None:
    assert Diverse(relevance=1.0).choose(neighbours, 5).tolist() == [0, 1, 2, 3, 4]


def test_a_near_duplicate_of_a_chosen_image_comes_late() -> None:
    keys = unit_norm(torch.tensor([[1.0, 0.1], [1.0, 0.1], [1.0, -0.4]]))
    query = torch.tensor([1.0, 0.0])
    twins = Neighbours(keys @ query, keys, torch.tensor([0, 0, 1]))
    assert Diverse().choose(twins, 2).tolist() == [0, 2]
    assert Diverse().choose(twins, 9).tolist() == [0, 2, 1]
