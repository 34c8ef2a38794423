"""Strategies against plain loops written from their papers."""

import math

import numpy as np
import pytest
import torch

from clipfg.acquisition import kernel_coverage
from clipfg.acquisition.badge import badge
from clipfg.acquisition.base import UnlabelledPool
from clipfg.acquisition.k_center import k_center
from clipfg.acquisition.kernel_coverage import cell_radius, greedy_coverage, maxherding, uherding
from clipfg.acquisition.least_certain import entropy, margin
from clipfg.acquisition.typiclust import typicality, typiclust
from clipfg.functional.similarity import unit_norm
from tests.contracts.test_strategies import make_pool


def test_margin_and_entropy() -> None:
    odds = torch.tensor([[0.5, 0.5, 0.0], [0.4, 0.3, 0.3], [0.9, 0.1, 0.0]])
    pool = UnlabelledPool(torch.eye(3), torch.eye(3)[:0], odds)
    assert margin(pool, 3).tolist() == [0, 1, 2]
    assert entropy(pool, 3).tolist() == [1, 0, 2]


@pytest.mark.parametrize("labelled", [0, 6])
def test_k_center(labelled) -> None:
    pool = make_pool(labelled=labelled)
    x, known = pool.features.numpy(), list(pool.labelled.numpy())
    expected: list[int] = []
    for _ in range(8):
        if not known:
            best = int((x @ x.mean(axis=0)).argmax())
        else:
            far = [min(np.linalg.norm(row - other) for other in known) for row in x]
            best = max((i for i in range(len(x)) if i not in expected), key=lambda i: far[i])
        expected.append(best)
        known.append(x[best])
    assert k_center(pool, 8).tolist() == expected


def test_badge_draws_over_explicit_gradients() -> None:
    pool = make_pool()
    errors = pool.probabilities.clone()
    for row in errors:
        row[row.argmax()] -= 1
    gradients = torch.einsum("nc,nd->ncd", errors, pool.features).flatten(1).double()
    generator = torch.Generator().manual_seed(pool.seed)
    expected = [int(gradients.norm(dim=1).argmax())]
    while len(expected) < 6:
        squares = torch.cdist(gradients, gradients[expected]).square().amin(dim=1)
        squares[expected] = 0
        expected.append(int(torch.multinomial(squares.float(), 1, generator=generator)))
    assert badge(pool, 6).tolist() == expected


@pytest.mark.parametrize("labelled", [0, 6])
@pytest.mark.parametrize("weighted", [False, True])
def test_herding_is_greedy_coverage(labelled, weighted) -> None:
    pool = make_pool(labelled=labelled)
    generator = torch.Generator().manual_seed(pool.seed)
    radius = cell_radius(pool.features, labelled + 7, generator)
    x = pool.features.double().numpy()
    weights = np.ones(len(x))
    if weighted:
        first, second = np.sort(pool.probabilities.numpy(), axis=1)[:, :-3:-1].T
        weights = 1 + 1 - (first - second)

    def covered(anchors) -> float:
        near = [max(math.exp(-np.sum((row - a) ** 2) / radius**2) for a in anchors) for row in x]
        return float(weights @ near)

    anchors, expected = list(pool.labelled.double().numpy()), []
    for _ in range(7):
        left = [i for i in range(len(x)) if i not in expected]
        best = max(left, key=lambda i: covered([*anchors, x[i]]))
        expected.append(best)
        anchors.append(x[best])
    assert (uherding if weighted else maxherding)(pool, 7).tolist() == expected


def test_a_large_pool_is_represented_by_a_sample(monkeypatch) -> None:
    monkeypatch.setattr(kernel_coverage, "MOST", 10)
    pool = make_pool()
    generator = torch.Generator().manual_seed(0)
    chosen = greedy_coverage(pool.features, pool.labelled, torch.ones(40), 10, 0.5, generator)
    assert len(set(chosen.tolist())) == 10
    assert int(chosen.max()) > 10


def test_the_radius_shrinks_with_labels() -> None:
    x = make_pool(200).features
    radii = [cell_radius(x, labels, torch.Generator().manual_seed(0)) for labels in (2, 20, 200)]
    assert radii[0] > radii[1] > radii[2]


def test_typicality_against_a_plain_loop() -> None:
    x = make_pool(12).features
    for k in (3, 20):
        for i, value in enumerate(typicality(x, k).tolist()):
            distances = sorted(float((x[i] - x[j]).norm()) for j in range(12) if j != i)[:k]
            assert value == pytest.approx(len(distances) / sum(distances), rel=1e-4)


def test_typiclust_goes_to_clusters_without_labels() -> None:
    generator = torch.Generator().manual_seed(1)
    groups = [centre + 0.05 * torch.randn(10, 3, generator=generator) for centre in torch.eye(3)]
    x = unit_norm(torch.cat(groups))
    pool = UnlabelledPool(x, x[[0, 10]])  # groups 0 and 1 have a label
    (chosen,) = typiclust(pool, 1).tolist()
    assert chosen == 20 + int(typicality(x[20:]).argmax())
