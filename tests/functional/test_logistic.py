import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from clipfg.errors import DataError
from clipfg.functional.logistic import logistic_path


def test_each_point_of_the_path_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 4
    x = 3 + rng.normal(size=(60, 5)) * [1, 1, 1, 0.1, 0.01] + np.eye(5)[labels]
    path = logistic_path(
        torch.tensor(x), torch.tensor(labels), 4, (0.1, 1.0, 10.0), 500, tolerance=1e-9
    )
    for cost, linear in zip((0.1, 1.0, 10.0), path, strict=True):
        reference = LogisticRegression(C=cost, tol=1e-10, max_iter=10_000).fit(x, labels)
        np.testing.assert_allclose(linear.weights, reference.coef_, atol=1e-4)
        expected = reference.predict_log_proba(x)
        np.testing.assert_allclose(linear(torch.tensor(x)).log_softmax(1), expected, atol=1e-4)


def test_costs_are_above_0() -> None:
    with pytest.raises(DataError, match="above 0"):
        logistic_path(torch.eye(2), torch.arange(2), 2, (0.0,))
