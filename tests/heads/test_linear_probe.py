import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from clipfg.heads.linear_probe import COSTS, ONE_SHOT, LinearProbe


@pytest.mark.parametrize("cost", [1.0, 100.0])
def test_it_is_scikit_learns(problem, cost) -> None:
    x, _, queries, labels = problem.arrays
    reference = LogisticRegression(C=cost, tol=1e-8, max_iter=5000).fit(x, labels)
    head = LinearProbe(cost=cost, iterations=500).fit(problem.x, problem.labels)
    np.testing.assert_allclose(head.weights_, reference.coef_, atol=2e-3 * cost**0.5)
    got = head.logits(problem.queries).softmax(1)
    np.testing.assert_allclose(got, reference.predict_proba(queries), atol=2e-3)


def test_the_cost_is_chosen_on_the_support(problem, one_shot) -> None:
    assert LinearProbe().fit(problem.x, problem.labels).cost_ in COSTS
    assert LinearProbe().fit(one_shot.x, one_shot.labels).cost_ == ONE_SHOT


def test_a_large_support_is_held_out_once(problem, monkeypatch) -> None:
    monkeypatch.setattr("clipfg.heads.linear_probe._LARGE", 0.0)
    assert LinearProbe().fit(problem.x, problem.labels).cost_ in COSTS
