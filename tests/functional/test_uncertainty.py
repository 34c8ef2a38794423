import numpy as np
import torch
from scipy.stats import entropy

from clipfg.functional.uncertainty import entropy_uncertainty, margin_uncertainty


def test_against_numpy_and_scipy() -> None:
    odds = torch.rand(20, 6, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    ranked = np.sort(odds.numpy(), axis=1)
    np.testing.assert_allclose(
        margin_uncertainty(odds), 1 - (ranked[:, -1] - ranked[:, -2]), rtol=1e-5
    )
    np.testing.assert_allclose(
        entropy_uncertainty(odds), entropy(odds.numpy(), axis=1) / np.log(6), rtol=1e-5
    )


def test_from_certain_to_uncertain() -> None:
    odds = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    assert margin_uncertainty(odds).tolist() == [0, 1]
    assert entropy_uncertainty(odds).tolist() == [0, 1]
    assert margin_uncertainty(torch.ones(2, 1)).tolist() == [0, 0]
    assert entropy_uncertainty(torch.ones(2, 1)).tolist() == [0, 0]
