import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch.nn.functional import normalize

from clipfg.functional.spherical_fit import spherical_fit


def features(n: int = 200, d: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    spread = torch.linspace(0.02, 1, d)
    return normalize(1 + spread * torch.randn(n, d, generator=generator), dim=1).double()


@pytest.mark.parametrize("length", [0.3, 1.0, 3.0])
def test_no_unit_vector_comes_nearer(length) -> None:
    x = features()
    generator = torch.Generator().manual_seed(1)
    weights = length * normalize(torch.randn(4, 6, generator=generator).double(), dim=1)
    bias = 0.2 * torch.randn(4, generator=generator).double()
    got = spherical_fit(weights, bias, x)
    torch.testing.assert_close(got.norm(dim=1), torch.ones(4).double())
    for w, b, u in zip(weights, bias, got, strict=True):
        aim = (x @ w + b).numpy()

        def loss(v, aim=aim):
            return float(((x.numpy() @ (v / np.linalg.norm(v)) - aim) ** 2).mean())

        starts = torch.randn(20, 6, generator=generator).double().numpy()
        best = min(minimize(loss, start).fun for start in starts)
        assert loss(u.numpy()) <= best + 1e-9


def test_unit_weights_without_a_bias_stay_as_they_are() -> None:
    weights = normalize(torch.arange(1.0, 13).reshape(2, 6).double(), dim=1)
    got = spherical_fit(weights, torch.zeros(2).double(), features())
    torch.testing.assert_close(got, weights)


def test_scores_of_any_length_are_met_where_a_direction_is_empty() -> None:
    x = features()
    x[:, 0] = 0
    weights = 0.1 * torch.randn(5, 6, generator=torch.Generator().manual_seed(2)).double()
    weights[:, 0] = 0
    got = spherical_fit(weights, torch.zeros(5).double(), x)
    torch.testing.assert_close(x @ got.T, x @ weights.T, atol=1e-6, rtol=0)
