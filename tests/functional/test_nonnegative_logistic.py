"""Few weights of 0 or more, against SciPy's bounded minimiser."""

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax

from clipfg.functional.nonnegative_logistic import few_weights

N, K, C, PENALTY = 90, 12, 3, 0.05


def problem() -> tuple[torch.Tensor, torch.Tensor]:
    """Classes that four columns each speak for, one of them more than the others."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(N) % C
    x = torch.rand(N, K, generator=generator)
    for label in range(C):
        for at, more in enumerate((1.5, 1.0, 0.6, 0.3)):
            x[labels == label, 4 * label + at] += more
    return x, labels


def loss(flat: np.ndarray, x: np.ndarray, labels: np.ndarray, kept: np.ndarray) -> float:
    weights = np.zeros((C, K))
    weights[kept] = flat
    scores = log_softmax(x @ weights.T, axis=1)
    fit = -np.mean([scores[item, label] for item, label in enumerate(labels)])
    return fit + PENALTY * (flat**2).sum() / (2 * C)


def test_the_weights_that_are_kept_are_those_of_a_bounded_minimiser() -> None:
    x, labels = problem()
    for most in (2, K):
        found = few_weights(x, labels, C, most, PENALTY).double().numpy()
        assert (found >= 0).all()
        assert ((found > 0).sum(axis=1) <= most).all()
        kept = found > 0 if most < K else np.ones((C, K), dtype=bool)
        given = (x.double().numpy(), labels.numpy(), kept)
        best = minimize(loss, np.ones(kept.sum()), given, bounds=[(0, None)] * kept.sum())
        assert abs(loss(found[kept], *given) - best.fun) < 1e-5
        np.testing.assert_allclose(found[kept], best.x, atol=5e-3)


def test_a_class_keeps_what_tells_it_best() -> None:
    x, labels = problem()
    found = few_weights(x, labels, C, 2, PENALTY)
    for label in range(C):
        assert found[label].topk(2).indices.sort().values.tolist() == [4 * label, 4 * label + 1]
