"""Against scikit-learn, a stable sort and figures worked out by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from clipfg.errors import DataError
from clipfg.functional import ranking

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.booleans())
def test_average_precision_is_scikit_learns(seed, ties) -> None:
    rng = np.random.default_rng(seed)
    scores, relevant = rng.random((5, 30)), rng.random((5, 30)) < 0.3
    scores = scores.round(1) if ties else scores
    relevant[0] = False
    got = ranking.average_precision(torch.from_numpy(scores), torch.from_numpy(relevant))
    assert got[0].isnan()
    pairs = zip(relevant[1:], scores[1:], strict=True)
    wanted = [
        reference.average_precision_score(*pair) if pair[0].any() else np.nan for pair in pairs
    ]
    np.testing.assert_allclose(got[1:], wanted)


def test_recall_at_k_is_a_hit_or_none() -> None:
    scores = torch.tensor([[0.9, 0.5, 0.5, 0.1], [0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0]])
    relevant = torch.tensor([[0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]]).bool()
    found = [ranking.recall_at_k(scores, relevant, k).tolist()[:2] for k in (1, 2, 3, 9)]
    assert found == [[0, 0], [0, 0], [1, 1], [1, 1]]
    assert ranking.recall_at_k(scores, relevant, 4)[2].isnan()
    with pytest.raises(DataError, match="at least 1"):
        ranking.recall_at_k(scores, relevant, 0)


@given(SEEDS)
def test_the_first_hit_is_that_of_a_stable_sort(seed) -> None:
    rng = np.random.default_rng(seed)
    scores, relevant = rng.random((5, 30)).round(1), rng.random((5, 30)) < 0.2
    relevant[:, 7] = True
    got = ranking.first_hit(torch.from_numpy(scores), torch.from_numpy(relevant))
    order = np.argsort(-scores, axis=1, kind="stable")
    wanted = [
        next(rank for rank, i in enumerate(row) if true[i])
        for row, true in zip(order, relevant, strict=True)
    ]
    assert got.tolist() == wanted


def test_nan_has_no_place_in_a_ranking() -> None:
    scores, relevant = torch.tensor([[torch.nan, 1.0]]), torch.tensor([[True, False]])
    for ranked in (ranking.average_precision, lambda s, r: ranking.recall_at_k(s, r, 1)):
        with pytest.raises(DataError, match="NaN 1 times"):
            ranked(scores, relevant)
