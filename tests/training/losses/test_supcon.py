import math

import pytest
import torch
from pytorch_metric_learning.losses import SupConLoss
from torch.autograd import gradcheck
from torch.nn.functional import normalize

from clipfg.training.losses.supcon import supcon
from tests.training.losses.plain import cosine, draw, mean

LABELS = torch.tensor([0, 1, 0, 2, 1, 0, 3])  # 2 and 3 have no second row


def reference(z, labels, temperature):
    losses = []
    for i in range(len(z)):
        positives = [p for p in range(len(z)) if p != i and labels[p] == labels[i]]
        if positives:
            others = [math.exp(cosine(z[i], z[a]) / temperature) for a in range(len(z)) if a != i]
            gains = [cosine(z[i], z[p]) / temperature - math.log(sum(others)) for p in positives]
            losses.append(-mean(gains))
    return mean(losses)


def test_it_is_the_formula() -> None:
    z = draw(7, 4)
    expected = reference(z.tolist(), LABELS.tolist(), 0.2)
    assert supcon(z, LABELS, 0.2).item() == pytest.approx(expected, abs=1e-10)
    assert gradcheck(lambda z: supcon(z, LABELS, 0.2), (z,))


@pytest.mark.parametrize("temperature", [0.07, 0.1, 0.5])
def test_it_is_that_of_pytorch_metric_learning(temperature) -> None:
    z = normalize(draw(40, 16), dim=1)
    labels = torch.arange(40) % 7
    expected = SupConLoss(temperature=temperature)(z, labels)
    torch.testing.assert_close(supcon(z, labels, temperature), expected, atol=1e-5, rtol=0)


def test_without_positives_it_is_0_and_teaches_nothing() -> None:
    z = draw(4, 3)
    loss = supcon(z, torch.arange(4))
    loss.backward()
    assert loss.item() == 0
    assert not z.grad.any()


def test_names_of_classes_do_not_matter() -> None:
    z = draw(7, 4)
    assert torch.equal(supcon(z, LABELS), supcon(z, 100 - LABELS))
