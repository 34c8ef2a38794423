"""The control finds what texts give away, and nothing where there is nothing to find."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from clipfg.data import synthflora
from clipfg.errors import DataError
from clipfg.mining.negatives import Contest, Negative, mine_negatives
from clipfg.mining.text_only import PENALTY, _logistic, _naive_bayes, text_only


def contest(item: int, true: str, *false: str) -> Contest:
    return Contest(item, true, tuple(Negative(text, "colour", "") for text in false))


def test_a_word_that_only_negatives_have_gives_them_away() -> None:
    contests = [contest(i, f"a red {n}", f"a mauve {n}") for i, n in enumerate("abcdefgh" * 4)]
    found = text_only(contests)
    assert found.accuracy.value == 1.0
    assert found.gives_away
    assert (found.pairs, found.pictures) == (32, 32)


def test_fair_negatives_of_drawn_flowers() -> None:
    captions = synthflora.load_free(400).column("captions") or []
    found = text_only(mine_negatives(captions))
    assert found.pairs > 1600
    assert not found.gives_away
    assert found.accuracy.value > 0.4


def test_no_picture_helps_to_judge_itself() -> None:
    # Each picture has a word of its own in all its true captions: without grouping, it tells.
    contests = [
        contest(item, f"w{item} {'x y'[k % 2 * 2]}", f"v{item} {'x y'[k % 2 * 2]}")
        for item in range(30)
        for k in range(4)
    ]
    assert text_only(contests).accuracy.value == 0.5
    assert text_only(contests, np.arange(30) // 2).pictures == 15


def test_the_logistic_regression_is_sklearns() -> None:
    rng = np.random.default_rng(0)
    true, false = (sparse.csr_matrix(rng.poisson(0.4, (60, 8)).astype(float)) for _ in range(2))
    apart = (true - false).toarray()
    model = LogisticRegression(C=1 / PENALTY, fit_intercept=False, tol=1e-8)
    model.fit(np.concatenate([apart, -apart]), [1] * 60 + [0] * 60, sample_weight=[0.5] * 120)
    np.testing.assert_allclose(_logistic(true, false), model.coef_[0], atol=1e-4)
    expected = [
        np.log((true.toarray()[:, k].sum() + 1) / (true.sum() + 8))
        - np.log((false.toarray()[:, k].sum() + 1) / (false.sum() + 8))
        for k in range(8)
    ]
    np.testing.assert_allclose(_naive_bayes(true, false), expected)


def test_one_picture_is_too_few() -> None:
    with pytest.raises(DataError, match="two or more pictures, got those of 1"):
        text_only([contest(0, "a", "b")])
    with pytest.raises(DataError, match="got those of 0"):
        text_only([])
