"""The student of instances against loops and its own optimum."""

import math

import pytest
import torch

from clipfg.heads.bags.student import NEGATIVE_WEIGHT, PENALTY, learn, posterior, student_loss
from tests.heads.bags.problem import bags


def test_the_students_loss_is_its_formula() -> None:
    scores, soft, w = torch.tensor([[0.3], [-2.0]]), torch.tensor([[0.8], [0.0]]), 0.2
    total = 0.0
    for score, q in zip([0.3, -2.0], [0.8, 0.0], strict=True):
        s = 1 / (1 + math.exp(-score))
        total -= w * (1 - q) * math.log(1 - s) + (1 - w) * q * math.log(s)
    assert float(student_loss(scores, soft, w)) == pytest.approx(total / 2, abs=1e-6)


def test_a_bag_of_the_class_has_one_row_of_it() -> None:
    scores = torch.tensor([[-1.0], [0.5], [2.0], [3.0]])
    positive = torch.tensor([[1.0], [1.0], [1.0], [0.0]])
    found = posterior(scores, positive, torch.tensor([0, 2, 3, 4])).flatten().tolist()
    first, second = (1 / (1 + math.exp(-score)) for score in (-1.0, 0.5))
    some = 1 - (1 - first) * (1 - second)
    assert found == pytest.approx([first / some, second / some, 1, 0], abs=1e-6)


def test_it_ends_where_its_own_labels_leave_it() -> None:
    sets, labels, key = bags(60)
    positive = labels.float().repeat_interleave(sets.offsets.diff())[:, None]
    learnt = learn(sets.rows, sets.offsets, positive, positive)
    scores = learnt(sets.rows)
    assert float(scores[key].min()) > float(scores[~key].quantile(0.95))
    weights = learnt.weights.requires_grad_()
    bias = (learnt.bias + math.log(1 / NEGATIVE_WEIGHT - 1)).requires_grad_()
    soft = posterior(scores.detach(), positive, sets.offsets)
    loss = student_loss(sets.rows @ weights.T + bias, soft) + PENALTY / 2 * weights.square().sum()
    loss.backward()
    assert weights.grad is not None
    assert bias.grad is not None
    assert float(weights.grad.abs().max()) < 0.01
    assert float(bias.grad.abs().max()) < 0.01
