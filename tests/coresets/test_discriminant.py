import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch.nn.functional import normalize

from clipfg.coresets import CORESETS, discriminant
from clipfg.coresets.class_mean import ClassMeanCoreset
from clipfg.coresets.discriminant import Discriminant, Subclasses
from clipfg.coresets.discriminant import count_hits as hits_by_share
from clipfg.coresets.k_means import KMeans


def whitened_cosines(problem, shrinkage: float) -> torch.Tensor:
    """Cosines after whitening, one mean a class: the plain formula, in float64."""
    x, labels = problem.x.double(), problem.labels
    means = torch.stack([x[labels == c].mean(dim=0) for c in range(12)])
    residuals = x - means[labels]
    cov = residuals.T @ residuals / len(x)
    width = x.shape[1]
    shrunk = (1 - shrinkage) * cov + shrinkage * cov.trace() / width * torch.eye(width)
    values, vectors = torch.linalg.eigh(shrunk)
    whiten = vectors / values.sqrt()
    middle = means.mean(dim=0)
    turned = normalize((means - middle) @ whiten, dim=1)
    return normalize((problem.queries.double() - middle) @ whiten, dim=1) @ turned.T


@pytest.mark.parametrize("shrinkage", [0.1, 0.7])
def test_held_out_items_are_classified_by_the_plain_formula(problem, shrinkage) -> None:
    groups = Subclasses.of(problem.x, problem.labels, 3, seed=0)
    shares = (0.0, 0.4, 1.0)
    got = hits_by_share(groups, problem.queries, problem.truth, shrinkage, shares)
    by_means = whitened_cosines(problem, shrinkage).argmax(dim=1)
    assert int(got[0]) == int((by_means == problem.truth).sum())
    whiten = groups.spectrum.vectors.double() / groups.spectrum.shrunk(shrinkage).double().sqrt()
    turned = (problem.queries - groups.middle).double() @ whiten
    for hits, share in zip(got, shares, strict=True):
        keys = normalize(groups.mixed(share).double() @ whiten, dim=1)
        named = groups.owners[(turned @ keys.T).argmax(dim=1)]
        assert int(hits) == int((named == problem.truth).sum())


def test_of_many_held_out_items_a_sample_is_scored(problem, monkeypatch) -> None:
    asked = []

    def counted(groups, x, labels, *others):
        asked.append((len(x), len(labels.unique())))
        return hits_by_share(groups, x, labels, *others)

    monkeypatch.setattr(discriminant, "count_hits", counted)
    monkeypatch.setattr(discriminant, "_HELD", 20)
    got = Discriminant().condense(problem.x, problem.labels, 2)
    assert {count for count, _ in asked} == {20}
    assert all(classes > 6 for _, classes in asked)  # of all twelve classes, not the first few
    assert problem.accuracy(got) > problem.accuracy(
        ClassMeanCoreset().condense(problem.x, problem.labels, 2)
    )


def test_its_keys_decide_as_whitened_cosines_do(problem) -> None:
    got = Discriminant(shrinkage=0.3, share=0.0).condense(problem.x, problem.labels, 1)
    decided = (problem.queries @ got.keys.T).argmax(dim=1)
    expected = whitened_cosines(problem, 0.3).argmax(dim=1)
    assert (decided == expected).float().mean() > 0.9


def test_it_comes_near_to_the_discriminant_of_scikit_learn(problem) -> None:
    reference = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3)
    reference.fit(problem.x.numpy(), problem.labels.numpy())
    theirs = (reference.predict(problem.queries.numpy()) == problem.truth.numpy()).mean()
    got = problem.accuracy(Discriminant().condense(problem.x, problem.labels, 1))
    assert got > theirs - 0.04


@pytest.mark.parametrize("per_class", [1, 5, 10])
def test_it_beats_every_other_strategy_where_spread_differs(problem, per_class) -> None:
    accuracy = {
        name: problem.accuracy(CORESETS.get(name)().condense(problem.x, problem.labels, per_class))
        for name in CORESETS
        if name != "discriminant-online"
    }
    own = accuracy.pop("discriminant")
    assert own > max(accuracy.values()) + 0.03


def test_classes_of_several_clusters_get_a_key_for_each(clustered) -> None:
    one, four = (
        clustered.accuracy(Discriminant().condense(clustered.x, clustered.labels, m))
        for m in (1, 4)
    )
    mean = clustered.accuracy(ClassMeanCoreset().condense(clustered.x, clustered.labels, 4))
    assert four > one + 0.05
    assert four > mean + 0.1


def test_nothing_is_chosen_by_what_is_given(problem) -> None:
    got = Discriminant(shrinkage=0.5, share=0.3).condense(problem.x, problem.labels, 3)
    again = Discriminant(shrinkage=0.5, share=0.3, seed=0).condense(problem.x, problem.labels, 3)
    assert torch.equal(got.keys, again.keys)


def test_without_spread_within_classes_it_is_k_means(problem) -> None:
    rows = torch.arange(0, len(problem.x), 16)
    x, labels = problem.x[rows], problem.labels[rows]
    first, second = (s.condense(x, labels, 3) for s in (Discriminant(), KMeans()))
    assert torch.equal(first.keys, second.keys)


def test_cosines_stay_comparable(problem) -> None:
    mean = ClassMeanCoreset().condense(problem.x, problem.labels, 1)
    got = Discriminant().condense(problem.x, problem.labels, 1)
    own = (problem.queries @ got.keys.T).mean(), (problem.queries @ got.keys.T).std(dim=1).mean()
    theirs = (problem.queries @ mean.keys.T).mean(), (problem.queries @ mean.keys.T).std()
    assert 0.3 < own[0] / theirs[0] < 1.5
    assert own[1] > 0.2 * theirs[1]
