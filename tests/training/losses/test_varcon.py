import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from clipfg.errors import DataError
from clipfg.training.losses.varcon import log_targets, varcon, varcon_to
from tests.training.losses.plain import cosine, draw, mean, surprise

LABELS = torch.tensor([7, 1, 7, 2, 1, 7, 3])


def unit(rows: torch.Tensor) -> torch.Tensor:
    return (rows / rows.norm(dim=1, keepdim=True)).detach().requires_grad_()


def reference(z, labels, temperature, epsilon):
    classes = sorted(set(labels))
    members = [[row for row, label in zip(z, labels, strict=True) if label == c] for c in classes]
    centroids = [[mean(column) for column in zip(*rows, strict=True)] for rows in members]
    losses = []
    for row, label in zip(z, labels, strict=True):
        scores = [cosine(row, w) / temperature for w in centroids]
        right = classes.index(label)
        log_p = [-surprise(scores, c) for c in range(len(classes))]
        tau2 = (temperature - epsilon) + 2 * epsilon * math.exp(log_p[right])
        q = [1 + (math.exp(1 / tau2) - 1) * (c == right) for c in range(len(classes))]
        q = [v / sum(q) for v in q]
        losses.append(sum(v * (math.log(v) - p) for v, p in zip(q, log_p, strict=True)))
        losses[-1] -= log_p[right]
    return mean(losses)


@pytest.mark.parametrize(("temperature", "epsilon"), [(0.1, 0.02), (0.5, 0.3), (0.1, 0.0)])
def test_it_is_the_formula(temperature, epsilon) -> None:
    z = unit(draw(7, 4))
    expected = reference(z.tolist(), LABELS.tolist(), temperature, epsilon)
    assert varcon(z, LABELS, temperature, epsilon).item() == pytest.approx(expected, abs=1e-8)


def test_gradients_with_the_centroids_held() -> None:
    z, centroids = draw(7, 4), draw(4, 4, seed=1).detach()
    members = torch.tensor([3, 0, 3, 1, 0, 3, 2])
    assert gradcheck(lambda z: varcon_to(centroids, z, members, 0.3, 0.1), (z,))


def test_no_gradient_passes_through_the_centroids() -> None:
    z = unit(draw(7, 4))
    _, members = LABELS.unique(return_inverse=True)
    centroids = torch.stack([z[members == c].mean(dim=0) for c in range(4)]).detach()
    expected = torch.autograd.grad(varcon_to(centroids, z, members), z)
    torch.testing.assert_close(torch.autograd.grad(varcon(z, LABELS), z), expected)


@given(st.floats(0, 1), st.integers(2, 300))
def test_targets_are_the_paper_s(p_true, classes) -> None:
    """q as a softmax equals q with e^(1/tau2) to 1e-6, and tau2 keeps within its bounds."""
    p = torch.tensor([p_true], dtype=torch.float64)
    log_q = log_targets(p, torch.tensor([1]), classes, 0.1, 0.02)[0]
    tau2 = 1 / (log_q[1] - log_q[0]).item()
    assert 0.08 - 1e-9 <= tau2 <= 0.12 + 1e-9
    peak = math.exp(1 / (0.08 + 0.04 * p_true))
    assert log_q[1].exp().item() == pytest.approx(peak / (peak + classes - 1), abs=1e-6)
    assert log_q.exp().sum().item() == pytest.approx(1, abs=1e-6)


def test_lengths_of_rows_do_not_matter() -> None:
    z = draw(7, 4)
    lengths = torch.arange(1, 8)[:, None]
    torch.testing.assert_close(varcon(lengths * z, LABELS), varcon(z, LABELS))


@pytest.mark.parametrize("epsilon", [-0.01, 0.1])
def test_an_impossible_epsilon_is_refused(epsilon) -> None:
    with pytest.raises(DataError, match=r"under the temperature of 0.1, got"):
        varcon(draw(7, 4), LABELS, 0.1, epsilon)


def test_one_class_costs_nothing() -> None:
    assert varcon(draw(5, 4), torch.full((5,), 9)).item() == 0
