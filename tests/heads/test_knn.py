import numpy as np
import pyarrow as pa
import pytest
import torch
from scipy.special import softmax
from sklearn.neighbors import KNeighborsClassifier

from clipfg.errors import UsageError
from clipfg.heads import knn
from clipfg.heads.knn import KNN, KS
from clipfg.store import KeyStore
from clipfg.types import ClassList
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


def test_of_equally_similar_images_the_earlier_votes() -> None:
    x = torch.eye(3)[[0, 0, 0, 1]]
    head = KNN(k=1).fit(x, torch.tensor([2, 0, 1, 1]))
    assert head.logits(torch.eye(3)[:1]).argmax() == 2


def test_k_is_chosen_among_the_candidates(problem) -> None:
    assert KNN().fit(problem.x, problem.labels).k_ in KS
    noisy = make_problem(shots=40, width=3)
    assert KNN().fit(noisy.x, noisy.labels).k_ > 1


def test_blocks_of_images_choose_as_all_at_once(monkeypatch) -> None:
    noisy = make_problem(shots=40, width=3)
    whole = KNN().fit(noisy.x, noisy.labels, noisy.texts)
    monkeypatch.setattr(knn, "_CELLS", 7 * len(noisy.x))
    parts = KNN().fit(noisy.x, noisy.labels, noisy.texts)
    assert (parts.k_, parts.alpha_) == (whole.k_, whole.alpha_)


def test_one_shot_is_one_neighbour(one_shot) -> None:
    assert KNN().fit(one_shot.x, one_shot.labels).k_ == 1


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_texts_are_mixed_in_as_probabilities(problem, alpha) -> None:
    x, texts, queries, labels = problem.arrays
    votes = KNeighborsClassifier(5, metric="cosine", algorithm="brute").fit(x, labels)
    named = softmax(20 * queries @ texts.T, axis=1)
    head = KNN(k=5, alpha=alpha, weights="vote", scale=20.0)
    got = head.fit(problem.x, problem.labels, problem.texts).logits(problem.queries)
    expected = (1 - alpha) * votes.predict_proba(queries) + alpha * named
    np.testing.assert_allclose(got.exp(), expected, atol=4e-6)


def test_good_texts_get_a_larger_share(problem) -> None:
    means = torch.stack([problem.queries[problem.truth == c].mean(dim=0) for c in range(6)])
    good = KNN(k=1).fit(problem.x, problem.labels, means)
    bad = KNN(k=1).fit(problem.x, problem.labels, means.roll(1, 0))
    assert good.alpha_ >= 0.3
    assert bad.alpha_ <= 0.5
    alone = KNN(k=1).fit(problem.x, problem.labels)
    assert alone.alpha_ == 0
    own, spoilt, without = (
        (head.logits(problem.queries).argmax(dim=1) == problem.truth).float().mean()
        for head in (good, bad, alone)
    )
    assert own >= without
    assert spoilt >= without - 0.02


def test_one_shot_beside_texts_lets_texts_overrule_a_vote(one_shot) -> None:
    assert KNN().fit(one_shot.x, one_shot.labels, one_shot.texts).alpha_ > 0.5


def test_arguments_are_checked(problem) -> None:
    with pytest.raises(UsageError, match="k of at least 1"):
        KNN(k=0).fit(problem.x, problem.labels)
    with pytest.raises(UsageError, match="alpha from 0 to 1"):
        KNN(alpha=1.5).fit(problem.x, problem.labels)


def test_it_takes_the_keys_of_a_store(problem) -> None:
    items = pa.table(
        {"id": [str(i) for i in range(len(problem.x))], "label": problem.labels.numpy()}
    )
    items = items.append_column("uri", items["id"])
    classes = ClassList(tuple("abcdef"))
    store = KeyStore.of(items, problem.x.numpy(), classes=classes)
    head = KNN().fit(torch.from_numpy(store.keys), torch.from_numpy(store.labels), problem.texts)
    direct = KNN().fit(problem.x, problem.labels, problem.texts)
    assert torch.equal(head.logits(problem.queries), direct.logits(problem.queries))
