"""Views are calibrated by kind, and one without the object does not win."""

import math

import torch

from clipfg.functional.similarity import confidence
from clipfg.functional.surest_view import holds_object, kind_factors, surest_view

KINDS = ("center", "tiles", "tiles", "ten-crop")


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_view_holds_the_object_by_its_cosine_with_the_whole() -> None:
    views, whole, mean = random(6, 4, 5), random(6, 5, seed=1), random(5, seed=2)
    found = holds_object(views, whole, mean)
    for at in range(6):
        for view in range(4):
            one, other = views[at, view] - mean, whole[at] - mean
            cosine = sum(a * b for a, b in zip(one.tolist(), other.tolist(), strict=True))
            cosine /= math.sqrt(float((one**2).sum() * (other**2).sum()))
            assert bool(found[at, view]) == (cosine >= 0.5)
    assert 0 < int(found.sum()) < 24


def test_a_kind_becomes_as_sure_as_it_agrees_with_the_whole() -> None:
    logits = random(200, 4, 5) * torch.tensor([3.0, 9, 9, 1])[:, None]
    logits[:, 1:] += torch.tensor([2.0, 2, 0.5])[:, None] * logits[:, :1]
    holds = random(200, 4, seed=1) > 0
    factors = kind_factors(logits, holds, KINDS, whole=0)
    assert factors[0] == 1
    assert factors[1] == factors[2]
    sure, answers = float(confidence(logits[:, 0]).mean()), logits[:, 0].argmax(dim=1)
    for places in ((1, 2), (3,)):
        rows = [
            (float((logits[at, view] * factors[view]).softmax(0).max()), view, at)
            for at in range(200)
            for view in places
            if holds[at, view]
        ]
        agree = sum(int(logits[at, view].argmax() == answers[at]) for _, view, at in rows)
        mean = sum(row[0] for row in rows) / len(rows)
        assert abs(mean - sure * agree / len(rows)) < 1e-4


def test_a_kind_that_never_holds_the_object_counts_for_nothing() -> None:
    holds = torch.ones(9, 4, dtype=torch.bool)
    holds[:, 3] = False
    assert kind_factors(random(9, 4, 5), holds, KINDS, whole=0)[3] == 0


def test_the_surest_view_wins_but_never_one_without_the_object() -> None:
    logits = random(50, 4, 5)
    logits[:, 3, 0] += 20  # bare background, named with certainty
    holds = random(50, 4, seed=1) > 0
    holds[:, 3] = False
    factors = torch.tensor([1.0, 0.5, 0.5, 1.0])
    for at, view in enumerate(surest_view(logits, holds, factors, whole=0).tolist()):
        sure = [float((logits[at, v] * factors[v]).softmax(0).max()) for v in range(4)]
        allowed = [v for v in range(4) if v == 0 or holds[at, v]]
        assert view == max(allowed, key=lambda v: sure[v])
        assert view != 3
