import numpy as np
import pytest
import torch

from clipfg.functional.similarity import unit_norm
from clipfg.heads.label_propagation import label_propagation


def case(seed: int = 0, n: int = 15):
    rng = np.random.default_rng(seed)
    features = unit_norm(torch.from_numpy(rng.normal(size=(n, 5)) + 0.5).float())
    return features, torch.from_numpy(rng.normal(size=(n, 3)) * 3).float()


@pytest.mark.parametrize(("k", "alpha"), [(5, 0.3), (10, 0.9), (3, 0.0)])
def test_against_the_closed_form(k, alpha) -> None:
    features, logits = case()
    x = features.numpy().astype(float)
    n = len(x)
    affinity = np.zeros((n, n))
    for i in range(n):
        near = sorted((j for j in range(n) if j != i), key=lambda j: -x[i] @ x[j])[:k]
        for j in near:
            affinity[i, j] = max(0.0, x[i] @ x[j]) ** 3
    affinity = affinity + affinity.T
    scale = np.diag(1 / np.sqrt(affinity.sum(axis=1)))
    graph = scale @ affinity @ scale
    shares = np.exp(logits.numpy().astype(float))
    shares /= shares.sum(axis=1, keepdims=True)
    expected = np.linalg.solve(np.eye(n) - alpha * graph, shares)
    expected /= expected.sum(axis=1, keepdims=True)
    got = label_propagation(features, logits, k=k, alpha=alpha).exp()
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_the_order_of_the_pool_does_not_matter() -> None:
    features, logits = case(1)
    order = torch.randperm(15, generator=torch.Generator().manual_seed(0))
    shuffled = label_propagation(features[order], logits[order])
    torch.testing.assert_close(shuffled, label_propagation(features, logits)[order])
