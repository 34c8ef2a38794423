import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from clipfg.errors import DataError
from clipfg.functional.logistic import Basis


def test_each_point_of_the_path_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 4
    x = 3 + rng.normal(size=(60, 5)) * [1, 1, 1, 0.1, 0.01] + np.eye(5)[labels]
    basis = Basis.of(torch.tensor(x))
    path = basis.path(torch.tensor(labels), 4, (0.1, 1.0, 10.0), 500, tolerance=1e-9)
    for cost, linear in zip((0.1, 1.0, 10.0), path, strict=True):
        reference = LogisticRegression(C=cost, tol=1e-10, max_iter=10_000).fit(x, labels)
        np.testing.assert_allclose(linear.weights, reference.coef_, atol=1e-4)
        expected = reference.predict_log_proba(x)
        np.testing.assert_allclose(linear(torch.tensor(x)).log_softmax(1), expected, atol=1e-4)


def test_some_of_the_rows_are_fitted_as_if_alone() -> None:
    rng = np.random.default_rng(0)
    labels = torch.arange(60) % 4
    x = torch.tensor(3 + rng.normal(size=(60, 5)))
    some = torch.arange(60) % 3 > 0
    part, alone = Basis.of(x).part(some), Basis.of(x[some])
    found, expected = (
        basis.path(labels[some], 4, (1.0,), 500, tolerance=1e-9)[0](x) for basis in (part, alone)
    )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_costs_are_above_0() -> None:
    with pytest.raises(DataError, match="above 0"):
        Basis.of(torch.eye(2)).path(torch.arange(2), 2, (0.0,))
