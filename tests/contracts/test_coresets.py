"""What every registered coreset strategy keeps to."""

from inspect import signature

import pytest
import torch

from clipfg.coresets import CORESETS, Coreset
from clipfg.errors import DataError, UsageError
from clipfg.functional.similarity import unit_norm

N, D, C = 60, 12, 4


@pytest.fixture(params=list(CORESETS))
def name(request) -> str:
    return request.param


@pytest.fixture
def strategy(name) -> Coreset:
    return CORESETS.get(name)()


@pytest.fixture
def pool() -> tuple[torch.Tensor, torch.Tensor]:
    """Classes of 3, 9, 17 and 31 items, their rows in no order."""
    generator = torch.Generator().manual_seed(0)
    centres = 1 + torch.randn(C, D, generator=generator)
    labels = torch.repeat_interleave(torch.arange(C), torch.tensor([3, 9, 17, 31]))
    labels = labels[torch.randperm(N, generator=generator)]
    return unit_norm(centres[labels] + torch.randn(N, D, generator=generator)), labels


def test_it_goes_by_its_registered_name(name) -> None:
    assert CORESETS.get(name).name == name
    assert CORESETS.get(name).__module__.endswith(name.replace("-", "_"))


def test_init_only_keeps_its_arguments(name, strategy) -> None:
    parameters = signature(CORESETS.get(name)).parameters
    assert all(p.default is not p.empty for p in parameters.values())
    assert vars(strategy) == strategy.config == {k: p.default for k, p in parameters.items()}


@pytest.mark.parametrize("per_class", [1, 2, 5, 10, 40])
def test_sizes_labels_keys_and_exemplars(strategy, pool, per_class) -> None:
    features, labels = pool
    got = strategy.condense(features, labels, per_class)
    sizes = torch.bincount(labels).clamp_max(per_class)
    assert torch.equal(got.labels, torch.repeat_interleave(torch.arange(C), sizes))
    assert got.keys.shape == (len(got), D)
    assert got.keys.dtype == torch.float32
    torch.testing.assert_close(got.keys.norm(dim=1), torch.ones(len(got)))
    assert torch.equal(labels[got.exemplars], got.labels)
    assert len(got.exemplars.unique()) == len(got)


def test_same_seed_same_result_and_the_input_stays_as_it_is(name, pool) -> None:
    features, labels = pool[0].clone(), pool[1].clone()
    first, second = (CORESETS.get(name)().condense(features, labels, 4) for _ in range(2))
    assert torch.equal(first.keys, second.keys)
    assert torch.equal(first.exemplars, second.exemplars)
    assert torch.equal(features, pool[0])
    assert torch.equal(labels, pool[1])


def test_the_global_generator_does_not_matter(strategy, pool) -> None:
    torch.manual_seed(1)
    first = strategy.condense(*pool, 3)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(first.keys, strategy.condense(*pool, 3).keys)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_features_of_another_type(strategy, pool, dtype) -> None:
    features = pool[0].to(dtype)
    got = strategy.condense(features, pool[1].int(), 3)
    expected = strategy.condense(unit_norm(features), pool[1], 3)
    assert got.keys.dtype == torch.float32
    assert got.labels.dtype == got.exemplars.dtype == torch.int64
    assert torch.equal(got.keys, expected.keys)


def test_lengths_of_rows_do_not_matter(strategy, pool) -> None:
    features, labels = pool
    longer = features * torch.linspace(0.5, 3, N)[:, None]
    first, second = (strategy.condense(x, labels, 3) for x in (features, longer))
    torch.testing.assert_close(first.keys, second.keys, atol=1e-4, rtol=0)


def test_one_class(strategy, pool) -> None:
    got = strategy.condense(pool[0], torch.zeros(N, dtype=torch.long), 7)
    assert got.labels.tolist() == [0] * 7
    assert len(got.exemplars.unique()) == 7


def test_one_image_and_classes_that_do_not_occur(strategy, pool) -> None:
    got = strategy.condense(pool[0][:1], torch.tensor([3]), 5)
    assert got.labels.tolist() == [3]
    assert got.exemplars.tolist() == [0]
    torch.testing.assert_close(got.keys, pool[0][:1])


def test_one_image_of_each_class_is_its_key(strategy, pool) -> None:
    features = pool[0][:C]
    got = strategy.condense(features, torch.arange(C), 5)
    assert got.exemplars.tolist() == list(range(C))
    assert torch.equal((features @ got.keys.T).argmax(dim=1), torch.arange(C))


def test_equal_images(strategy) -> None:
    got = strategy.condense(torch.ones(6, 3), torch.arange(6) // 3, 2)
    assert got.labels.tolist() == [0, 0, 1, 1]
    assert len(got.exemplars.unique()) == 4
    assert torch.isfinite(got.keys).all()


def test_far_classes_are_told_apart_by_the_nearest_key(strategy) -> None:
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(200) % 10
    centres = torch.randn(10, 32, generator=generator)
    drawn = centres[labels] + 0.7 * torch.randn(200, 32, generator=generator)
    support, queries = unit_norm(drawn[:100]), unit_norm(drawn[100:])
    got = strategy.condense(support, labels[:100], 5)
    right = got.labels[(queries @ got.keys.T).argmax(dim=1)] == labels[100:]
    assert right.float().mean() > 0.95


@pytest.mark.parametrize(
    ("features", "labels", "per_class", "error", "message"),
    [
        (torch.ones(2, 3), torch.tensor([0, 0]), 0, UsageError, "budget of 1"),
        (torch.ones(0, 3), torch.tensor([], dtype=torch.long), 1, DataError, "at least one"),
        (torch.ones(2, 3), torch.tensor([0]), 1, DataError, "2 features and 1 labels"),
        (torch.ones(2, 3), torch.tensor([0, -1]), 1, DataError, "got 1 without"),
        (torch.zeros(2, 3), torch.tensor([0, 0]), 1, DataError, "non-zero"),
    ],
)
def test_bad_input_is_reported_in_one_sentence(
    strategy, features, labels, per_class, error, message
) -> None:
    with pytest.raises(error, match=message):
        strategy.condense(features, labels, per_class)
