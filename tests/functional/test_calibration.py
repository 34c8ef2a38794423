import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from clipfg.functional.calibration import temperature


@pytest.mark.parametrize("scale", [0.1, 1.0, 40.0])
def test_against_scipy(scale) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 300)
    logits = scale * (rng.normal(size=(300, 5)) + np.eye(5)[labels])

    def loss(log_t: float) -> float:
        scores = logits / np.exp(log_t)
        return float((logsumexp(scores, axis=1) - scores[np.arange(300), labels]).mean())

    best = np.exp(minimize_scalar(loss, bounds=(-7, 7), method="bounded").x)
    found = temperature(torch.tensor(logits), torch.tensor(labels))
    assert found == pytest.approx(best, rel=1e-2)
    assert loss(np.log(found)) == pytest.approx(loss(np.log(best)), abs=1e-6)


def test_nothing_to_fit_on_leaves_logits_as_they_are() -> None:
    assert temperature(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long)) == 1.0


def test_all_right_is_bounded() -> None:
    assert 0 < temperature(torch.eye(3), torch.arange(3)) < 0.01
