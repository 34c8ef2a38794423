from itertools import product

import pytest
import torch

from clipfg.coresets.discriminant import SHARES, SHRINKAGES, Discriminant, count_hits
from clipfg.coresets.discriminant_online import DiscriminantOnline, Moments
from clipfg.coresets.keco_online import KeCOOnline


@pytest.mark.parametrize("shrinkage", [0.1, 0.5])
def test_of_class_means_alone_it_has_the_keys_of_discriminant(problem, shrinkage) -> None:
    once = DiscriminantOnline(shrinkage=shrinkage, share=0.0)
    got = once.condense(problem.x, problem.labels, 1)
    whole = Discriminant(shrinkage=shrinkage, share=0.0).condense(problem.x, problem.labels, 1)
    torch.testing.assert_close(got.keys, whole.keys, atol=1e-3, rtol=0)


def test_sums_of_batches_are_those_of_a_plain_loop(problem) -> None:
    """Every fifth item of a class after the first two is set aside, wherever batches are cut."""
    moments = Moments(problem.x.shape[1], per_class=2)
    order = problem.labels.argsort(stable=True)  # classes appear one after another
    aside = torch.cat([moments.take(problem.x[r], problem.labels[r]) for r in order.split(13)])
    places = torch.arange(16).repeat(12)
    assert torch.equal(aside, (places == 6) | (places == 11))
    torch.testing.assert_close(moments.x, problem.x[order[aside]])
    assert torch.equal(moments.labels, problem.labels[order[aside]])
    moments.add(moments.x, moments.labels)
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


def test_what_is_set_aside_decides_and_moves_no_cluster(problem) -> None:
    """Exemplars are what clusters started from, and the settings those that the rest makes best."""
    aside = Moments(problem.x.shape[1], per_class=3).take(problem.x, problem.labels)
    rest = (~aside).nonzero().flatten()
    kept = problem.x[rest], problem.labels[rest], 3
    started = KeCOOnline(target="most").condense(*kept)
    got = DiscriminantOnline().condense(problem.x, problem.labels, 3)
    assert got.exemplars.tolist() == rest[started.exemplars].tolist()
    assert got.labels.tolist() == started.labels.tolist()
    right = {}
    for shrinkage, share in product(SHRINKAGES, SHARES):
        moments = Moments(problem.x.shape[1], per_class=99)
        moments.take(*kept[:2])
        parts = moments.describe(started.keys, started.labels)
        own = count_hits(parts, problem.x[aside], problem.labels[aside], shrinkage, (share,))
        right[shrinkage, share] = int(own)
    best = max(right, key=lambda option: right[option])
    given = DiscriminantOnline(shrinkage=best[0], share=best[1])
    torch.testing.assert_close(got.keys, given.condense(problem.x, problem.labels, 3).keys)


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3]])
def test_with_nothing_to_tell_apart_it_is_keco(problem, labels) -> None:
    some = problem.x[:4], torch.tensor(labels), 1
    keys = DiscriminantOnline().condense(*some).keys
    torch.testing.assert_close(keys, KeCOOnline(target="most").condense(*some).keys)
