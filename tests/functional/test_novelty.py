import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from clipfg.errors import DataError
from clipfg.functional import novelty
from clipfg.functional.similarity import unit_norm


@given(st.integers(0, 10_000), st.booleans())
def test_auroc_is_scikit_learns(seed, ties) -> None:
    rng = np.random.default_rng(seed)
    known, unknown = rng.normal(1, 1, 30), rng.normal(0, 1, 20)
    if ties:
        known, unknown = known.round(), unknown.round()
    expected = roc_auc_score([1] * 30 + [0] * 20, np.r_[known, unknown])
    got = novelty.auroc(torch.from_numpy(known), torch.from_numpy(unknown))
    assert got == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [1.0, 0.2])
def test_energy_and_concepts_are_scipys(temperature) -> None:
    torch.manual_seed(0)
    logits, x, w = 5 * torch.randn(6, 4), unit_norm(torch.randn(6, 8)), unit_norm(torch.randn(4, 8))
    expected = temperature * logsumexp(logits.numpy() / temperature, axis=1)
    np.testing.assert_allclose(novelty.energy(logits, temperature), expected, rtol=1e-5)
    shares = softmax((x @ w.T).numpy() / temperature, axis=1).max(1)
    np.testing.assert_allclose(novelty.max_concept_softmax(x, w, temperature), shares, rtol=1e-5)


@pytest.mark.parametrize("k", [1, 3, 50])
def test_the_kth_neighbour_is_scikit_learns(k) -> None:
    torch.manual_seed(0)
    x, known = unit_norm(torch.randn(7, 5)), unit_norm(torch.randn(11, 5))
    distances, _ = NearestNeighbors(n_neighbors=min(k, 11)).fit(known).kneighbors(x)
    got = novelty.neighbour_cosine(x, known, k)
    np.testing.assert_allclose(2 - 2 * got, distances[:, -1] ** 2, atol=1e-5)


@given(st.integers(0, 10_000))
def test_familiarity_counts(seed) -> None:
    rng = np.random.default_rng(seed)
    known, scores = rng.integers(0, 9, 25).astype(float), rng.integers(-1, 10, 8).astype(float)
    got = novelty.familiarity(torch.from_numpy(scores), torch.from_numpy(known))
    np.testing.assert_allclose(got, [(1 + (known <= s).sum()) / 26 for s in scores])


def test_nothing_to_compare_with_is_refused() -> None:
    with pytest.raises(DataError, match="got 0 and 1"):
        novelty.auroc(torch.zeros(0), torch.zeros(1))
    with pytest.raises(DataError, match="got 0 and 2"):
        novelty.neighbour_cosine(torch.zeros(1, 3), torch.zeros(2, 3), 0)


def test_nan_is_refused() -> None:
    good, bad = torch.tensor([0.0, 1.0]), torch.tensor([0.0, torch.nan])
    for judged in (novelty.auroc, novelty.familiarity):
        for pair in ((good, bad), (bad, good)):
            with pytest.raises(DataError, match="NaN 1 times"):
                judged(*pair)
