"""What every registered demonstration strategy keeps to."""

from inspect import signature

import pytest
import torch

from clipfg.functional.similarity import unit_norm
from clipfg.icl import DEMONSTRATIONS, Neighbours


@pytest.fixture
def neighbours() -> Neighbours:
    generator = torch.Generator().manual_seed(5)
    keys = unit_norm(torch.randn(40, 8, generator=generator))
    order = keys[:, 0].argsort(descending=True)
    texts = torch.rand(6, generator=generator)
    labels = torch.randint(6, (40,), generator=generator)
    return Neighbours(keys[order, 0], keys[order], labels, texts[labels])


@pytest.fixture(params=list(DEMONSTRATIONS))
def strategy(request):
    return DEMONSTRATIONS.get(request.param)()


def test_it_goes_by_its_registered_name(strategy) -> None:
    assert DEMONSTRATIONS.get(strategy.name) is type(strategy)
    assert type(strategy).__module__.endswith(strategy.name.replace("-", "_"))


@pytest.mark.parametrize("shots", [1, 3, 200])
def test_each_is_chosen_once_and_within_reach(strategy, neighbours, shots) -> None:
    chosen = strategy.choose(neighbours, shots).tolist()
    reach = strategy.reach(shots)
    assert len(set(chosen)) == len(chosen) == min(shots, len(neighbours))
    assert all(position < (len(neighbours) if reach is None else reach) for position in chosen)


def test_none_of_none_is_none(strategy) -> None:
    empty = Neighbours(torch.empty(0), torch.empty(0, 8), torch.empty(0).long(), torch.empty(0))
    assert strategy.choose(empty, 3).tolist() == []


def test_init_only_keeps_its_arguments(strategy) -> None:
    assert vars(strategy) == {k: p.default for k, p in signature(type(strategy)).parameters.items()}


def test_more_shots_only_add(strategy, neighbours) -> None:
    """Where all it may look at is seen: what was best stays so."""
    if strategy.name == "image-then-text":
        pytest.skip("a longer shortlist may hold a better text")
    few, many = (strategy.choose(neighbours, shots).tolist() for shots in (3, 7))
    assert many[:3] == few
