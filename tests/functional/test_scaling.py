import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from torch.nn.functional import cross_entropy

from clipfg.errors import DataError
from clipfg.functional import scaling
from clipfg.functional.scaling import fit_temperature


def make(seed: int, n: int = 200, c: int = 5, signal: float = 2.0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(c, size=n)
    logits = rng.normal(size=(n, c))
    logits[np.arange(n), labels] += signal
    return torch.from_numpy(logits), torch.from_numpy(labels)


def loss(logits, labels, factor, shift=0.0) -> float:
    return float(cross_entropy(logits * factor + shift, labels))


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(1e-3, 1e3))
def test_the_temperature_is_scipys(seed, scale) -> None:
    logits, labels = make(seed)
    found = minimize_scalar(lambda f: loss(logits, labels, f), bounds=(0, 20), method="bounded")
    factor = fit_temperature(scale * logits, labels)
    assert factor * scale == pytest.approx(found.x, rel=1e-3)
    assert loss(logits, labels, factor * scale) <= found.fun + 1e-12


def test_blocks_of_rows_change_nothing(monkeypatch) -> None:
    logits, labels = make(3)
    whole = fit_temperature(logits, labels)
    monkeypatch.setattr(scaling, "_CELLS", 35)
    assert fit_temperature(logits, labels) == pytest.approx(whole, rel=1e-9)


def test_the_scale_that_made_the_logits_comes_back() -> None:
    torch.manual_seed(0)
    truth = torch.randn(40_000, 4).double()
    labels = torch.multinomial(truth.softmax(1), 1)[:, 0]
    assert 1 / fit_temperature(truth * 7, labels) == pytest.approx(7, rel=0.03)


def test_logits_that_mislead_are_scaled_to_almost_nothing() -> None:
    logits, labels = make(0, signal=-2.0)
    factor = fit_temperature(logits, labels)
    assert 0 < factor < 1e-4
    assert loss(logits, labels, factor) == pytest.approx(np.log(5), abs=1e-3)


def test_logits_that_are_always_right_stay_finite() -> None:
    logits = 10 * torch.eye(3)
    factor = fit_temperature(logits, torch.arange(3))
    assert np.isfinite(factor)
    assert loss(logits, torch.arange(3), factor) < 1e-6


def test_uninformative_logits_are_no_error() -> None:
    assert np.isfinite(fit_temperature(torch.zeros(4, 3), torch.tensor([0, 1, 2, 0])))


def test_rows_that_do_not_fit_are_refused(unchecked) -> None:
    with pytest.raises(DataError, match="got 1 and 2"):
        fit_temperature(torch.zeros(2, 3), torch.tensor([0]))
    for label in (-1, 2):
        with pytest.raises(DataError, match="class indices from 0 to 1"):
            fit_temperature(torch.zeros(1, 2), torch.tensor([label]))
    with pytest.raises(DataError, match="finite"):
        fit_temperature(torch.full((1, 2), torch.nan), torch.tensor([0]))
