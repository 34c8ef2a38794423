"""What every registered transductive method keeps to."""

import inspect

import pytest
import torch

from clipfg.errors import DataError
from clipfg.functional.similarity import unit_norm
from clipfg.heads.transduction import TRANSDUCTIONS

N, D, C = 60, 12, 4


@pytest.fixture(params=list(TRANSDUCTIONS))
def method(request):
    return TRANSDUCTIONS.get(request.param)


@pytest.fixture
def pool() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    centres = unit_norm(torch.randn(C, D, generator=generator))
    labels = torch.arange(N) % C
    features = unit_norm(centres[labels] + 0.15 * torch.randn(N, D, generator=generator))
    blurred = unit_norm(centres + 0.2 * torch.randn(C, D, generator=generator))
    return features, 20 * features @ blurred.T, labels


def test_logits_come_back_finite_and_as_many(method, pool) -> None:
    features, logits, _ = pool
    refined = method(features, logits)
    assert refined.shape == logits.shape
    assert refined.dtype == torch.float32
    assert torch.isfinite(refined).all()


def test_the_same_pool_gives_the_same_and_inputs_stay_as_they_are(method, pool) -> None:
    features, logits, _ = pool
    before = features.clone(), logits.clone()
    assert torch.equal(method(features, logits), method(features, logits))
    assert torch.equal(features, before[0])
    assert torch.equal(logits, before[1])


def test_it_takes_only_features_and_logits(method) -> None:
    needed = [
        name
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.default is inspect.Parameter.empty
    ]
    assert needed == ["features", "logits"]


def test_clear_groups_are_not_spoilt(method, pool) -> None:
    features, logits, labels = pool
    before = (logits.argmax(dim=1) == labels).float().mean()
    after = (method(features, logits).argmax(dim=1) == labels).float().mean()
    assert after >= before > 0.8


def test_classes_that_are_likely_for_no_image_do_no_harm(method, pool) -> None:
    features, logits, _ = pool
    lone = torch.cat((logits, torch.full((N, 2), -1000.0)), dim=1)
    assert torch.isfinite(method(features, lone)).all()


def test_a_pool_of_one_is_refused(method, pool) -> None:
    features, logits, _ = pool
    with pytest.raises(DataError, match="pool of two"):
        method(features[:1], logits[:1])
