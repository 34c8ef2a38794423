import pytest
import torch

from clipfg.coresets.discriminant import Discriminant
from clipfg.coresets.discriminant_online import DiscriminantOnline, Moments
from clipfg.coresets.keco_online import KeCOOnline


@pytest.mark.parametrize("shrinkage", [0.1, 0.5])
def test_of_class_means_alone_it_has_the_keys_of_discriminant(problem, shrinkage) -> None:
    once = DiscriminantOnline(shrinkage=shrinkage, share=0.0)
    got = once.condense(problem.x, problem.labels, 1)
    whole = Discriminant(shrinkage=shrinkage, share=0.0).condense(problem.x, problem.labels, 1)
    torch.testing.assert_close(got.keys, whole.keys, atol=1e-3, rtol=0)


def test_sums_of_batches_are_those_of_a_plain_loop(problem) -> None:
    moments = Moments(problem.x.shape[1])
    order = problem.labels.argsort(descending=False)  # classes appear one after another
    for rows in order.split(13):
        moments.take(problem.x[rows], problem.labels[rows])
    x = problem.x.double()
    second = sum(torch.outer(row, row) for row in x)
    torch.testing.assert_close(moments.second, second)
    for label in range(12):
        own = x[problem.labels == label]
        assert moments.counts[label] == len(own)
        torch.testing.assert_close(moments.sums[label], own.sum(dim=0))


@pytest.mark.parametrize("per_class", [1, 5])
def test_it_beats_keco_where_spread_differs(problem, per_class) -> None:
    ours, theirs = (
        problem.accuracy(strategy.condense(problem.x, problem.labels, per_class))
        for strategy in (DiscriminantOnline(), KeCOOnline())
    )
    assert ours > theirs + 0.05


def test_exemplars_are_those_that_clusters_started_from(problem) -> None:
    got = DiscriminantOnline().condense(problem.x, problem.labels, 3)
    started = KeCOOnline(target="most").condense(problem.x, problem.labels, 3)
    assert got.exemplars.tolist() == started.exemplars.tolist()
    assert got.labels.tolist() == started.labels.tolist()


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3]])
def test_with_nothing_to_tell_apart_it_is_keco(problem, labels) -> None:
    some = problem.x[:4], torch.tensor(labels), 1
    keys = DiscriminantOnline().condense(*some).keys
    torch.testing.assert_close(keys, KeCOOnline(target="most").condense(*some).keys)
