import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from clipfg.errors import UsageError
from clipfg.heads.knn import KNN, KS
from tests.heads.conftest import make_problem


@pytest.mark.parametrize("k", [1, 3, 7])
def test_votes_are_those_of_scikit_learn(problem, k) -> None:
    x, _, queries, labels = problem.arrays
    reference = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(x, labels)
    got = KNN(k=k, weights="vote").fit(problem.x, problem.labels).logits(problem.queries)
    np.testing.assert_allclose(got.exp(), reference.predict_proba(queries), atol=2e-6)


def test_nearer_neighbours_count_for_more(problem) -> None:
    x, _, queries, labels = problem.arrays
    got = KNN(k=5, temperature=0.1).fit(problem.x, problem.labels).logits(problem.queries)
    for query, row in zip(queries[:20], got.exp(), strict=False):
        nearest = np.argsort(-(x @ query), kind="stable")[:5]
        weights = np.exp(x[nearest] @ query / 0.1)
        shares = np.zeros(6)
        for neighbour, weight in zip(nearest, weights / weights.sum(), strict=True):
            shares[labels[neighbour]] += weight
        np.testing.assert_allclose(row, shares, atol=1e-4)


def test_of_equally_similar_pictures_the_earlier_votes() -> None:
    x = torch.eye(3)[[0, 0, 0, 1]]
    head = KNN(k=1).fit(x, torch.tensor([2, 0, 1, 1]))
    assert head.logits(torch.eye(3)[:1]).argmax() == 2


def test_k_is_chosen_among_what_was_offered(problem) -> None:
    assert KNN().fit(problem.x, problem.labels).k_ in KS
    noisy = make_problem(shots=40, width=3)
    assert KNN().fit(noisy.x, noisy.labels).k_ > 1


def test_one_shot_is_one_neighbour(one_shot) -> None:
    assert KNN().fit(one_shot.x, one_shot.labels).k_ == 1


def test_arguments_are_checked(problem) -> None:
    with pytest.raises(UsageError, match="k from 1"):
        KNN(k=0).fit(problem.x, problem.labels)
