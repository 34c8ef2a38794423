"""Every registered strategy that asks for labels, whoever wrote it."""

import pytest
import torch

from clipfg.acquisition.base import STRATEGIES, UnlabelledPool
from clipfg.errors import UsageError
from clipfg.functional.similarity import unit_norm


def make_pool(n=40, labelled=6, classes=4, seed=0) -> UnlabelledPool:
    generator = torch.Generator().manual_seed(seed)
    x = unit_norm(torch.randn(n + labelled, 8, generator=generator) + 1)
    odds = torch.randn(n, classes, generator=generator).softmax(dim=1)
    return UnlabelledPool(x[:n], x[n:], odds, seed)


@pytest.fixture(params=list(STRATEGIES))
def strategy(request):
    return STRATEGIES.get(request.param)


@pytest.mark.parametrize("budget", [1, 7, 40, 99])
def test_as_many_different_images_as_requested(strategy, budget) -> None:
    chosen = strategy(make_pool(), budget).tolist()
    assert len(chosen) == len(set(chosen)) == min(budget, 40)
    assert set(chosen) <= set(range(40))


def test_the_same_seed_chooses_the_same(strategy) -> None:
    assert torch.equal(strategy(make_pool(), 9), strategy(make_pool(), 9))


@pytest.mark.parametrize("labelled", [0, 6])
def test_without_probabilities(strategy, labelled) -> None:
    pool = make_pool(labelled=labelled)
    assert len(set(strategy(UnlabelledPool(pool.features, pool.labelled), 5).tolist())) == 5


def test_copies_of_one_image(strategy) -> None:
    x = unit_norm(torch.ones(6, 3))
    pool = UnlabelledPool(x, x[:0], torch.full((6, 2), 0.5))
    assert sorted(strategy(pool, 6).tolist()) == list(range(6))


def test_one_image_and_one_class(strategy) -> None:
    x = unit_norm(torch.ones(1, 3))
    assert strategy(UnlabelledPool(x, x, torch.ones(1, 1)), 3).tolist() == [0]


def test_a_budget_below_one_is_refused(strategy) -> None:
    with pytest.raises(UsageError, match="budget of 1"):
        strategy(make_pool(), 0)
