"""The maths of patch prototypes, against plain loops written from PiPViT and PIP-Net."""

import math

import pytest
import torch

from clipfg.functional import prototypes


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


OWNERS = torch.tensor([0, 0, 0, 1, 2, 2, 2])


def softmax_of_relu(row: list[float]) -> list[float]:
    powers = [math.exp(max(value, 0.0)) for value in row]
    return [power / sum(powers) for power in powers]


def test_a_patch_is_shared_out_among_prototypes(scores) -> None:
    expected = [softmax_of_relu(row) for row in scores.tolist()]
    torch.testing.assert_close(prototypes.shares(scores), torch.tensor(expected).double())


def test_presence_is_the_mean_of_what_patches_show(scores) -> None:
    rows = scores.tolist()
    expected = []
    for image in range(3):
        own = [row for row, owner in zip(rows, OWNERS.tolist(), strict=True) if owner == image]
        expected.append([sum(max(row[k], 0.0) for row in own) / len(own) for k in range(4)])
    found = prototypes.presences(scores, OWNERS, 3)
    torch.testing.assert_close(found, torch.tensor(expected).double())


def test_the_largest_share_is_that_of_an_image(scores) -> None:
    shares = prototypes.shares(scores)
    rows = shares.tolist()
    expected = [
        [max(row[k] for row, owner in zip(rows, OWNERS.tolist(), strict=True) if owner == image)
         for k in range(4)]
        for image in range(3)
    ]  # fmt: skip
    found = prototypes.largest(shares, OWNERS, 3)
    torch.testing.assert_close(found, torch.tensor(expected).double())


def test_the_alignment_loss_is_that_of_a_loop(scores) -> None:
    first, second = prototypes.shares(scores), prototypes.shares(scores.flip(0))
    total = 0.0
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        total -= math.log(sum(a * b for a, b in zip(one, other, strict=True)))
    found = prototypes.align_loss(first, second)
    assert float(found) == pytest.approx(total / 7, rel=1e-6)


def test_each_view_learns_from_the_other_as_it_stands(scores) -> None:
    first = prototypes.shares(scores).requires_grad_()
    second = prototypes.shares(scores.flip(0))
    (found,) = torch.autograd.grad(prototypes.align_loss(first, second), first)
    inner = (first * second).sum(dim=1, keepdim=True)
    expected = -second / inner / 7 / 2  # d/dp1 of -log<p1, p2>, of one of the two ways
    torch.testing.assert_close(found, expected.detach(), rtol=1e-5, atol=1e-8)


def test_the_tanh_loss_is_that_of_a_loop(scores) -> None:
    presence = prototypes.largest(prototypes.shares(scores), OWNERS, 3)
    columns = presence.T.tolist()
    expected = -sum(math.log(math.tanh(sum(column))) for column in columns) / 4
    assert float(prototypes.tanh_loss(presence)) == pytest.approx(expected, rel=1e-6)


def test_an_unused_prototype_costs_more_than_one_in_use() -> None:
    even = torch.tensor([[0.9, 0.1], [0.1, 0.9]])
    unused = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert prototypes.tanh_loss(unused) > prototypes.tanh_loss(even) + 1


def test_koleo_is_that_of_a_loop(scores) -> None:
    presence = scores.exp()
    rows = [[value / math.dist(row, [0] * 4) for value in row] for row in presence.tolist()]
    nearest = [
        min(math.dist(row, other) for j, other in enumerate(rows) if j != i)
        for i, row in enumerate(rows)
    ]
    expected = -sum(map(math.log, nearest)) / len(rows)
    assert float(prototypes.koleo_loss(presence)) == pytest.approx(expected, rel=1e-6)
    assert prototypes.koleo_loss(presence[:1]) == 0


def test_the_class_loss_is_that_of_a_loop() -> None:
    evidence, labels, power = [[0.0, 2.0, 0.5], [1.5, 0.2, 3.0]], [1, 0], 1.7
    total = 0.0
    for row, label in zip(evidence, labels, strict=True):
        scores = [math.log(1 + value**power) for value in row]
        total -= scores[label] - math.log(sum(map(math.exp, scores)))
    found = prototypes.class_loss(torch.tensor(evidence), torch.tensor(labels), power)
    assert float(found) == pytest.approx(total / 2, rel=1e-5)


@pytest.mark.parametrize("loss", [prototypes.tanh_loss, prototypes.koleo_loss])
def test_gradients_of_presences_are_right(loss, scores) -> None:
    torch.autograd.gradcheck(loss, scores.exp().requires_grad_())


def test_gradients_through_all_of_it_are_right(scores) -> None:
    labels, weights = torch.tensor([0, 2, 1]), torch.rand(3, 4, dtype=torch.float64)

    def loss(scores: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
        presence = prototypes.largest(prototypes.shares(scores), OWNERS, 3)
        return prototypes.class_loss(presence @ weights.T, labels, power)

    power = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(loss, (scores.requires_grad_(), power))


def test_no_evidence_at_all_keeps_gradients_finite() -> None:
    evidence = torch.zeros(2, 3, requires_grad=True)
    power = torch.tensor(2.0, requires_grad=True)
    prototypes.class_loss(evidence, torch.tensor([0, 1]), power).backward()
    assert evidence.grad.isfinite().all()
    assert power.grad.isfinite()
