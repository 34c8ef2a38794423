import math

import pytest
import torch

from clipfg.coresets import infoscore
from clipfg.coresets.infoscore import InfoScore, info_scores

T = 0.1


def probability(x, y, means, demonstration=None, label=None) -> float:
    terms = {c: math.exp(float(x @ mean) / T) for c, mean in means.items()}
    extra = 0.0 if demonstration is None else math.exp(float(x @ demonstration) / T)
    right = terms[y] + (extra if y == label else 0.0)
    return right / (sum(terms.values()) + extra)


def loop(x, labels, audience) -> list[float]:
    scores = []
    for e in range(len(x)):
        total = 0.0
        for i in audience:
            if i == e:
                continue
            means = {}
            for c in labels.unique().tolist():
                own = [j for j in range(len(x)) if labels[j] == c and (j != i or c != labels[i])]
                rows = x[torch.tensor(own or [int(i)])]
                means[c] = rows.mean(dim=0) / rows.mean(dim=0).norm()
            y = int(labels[i])
            total += probability(x[i], y, means, x[e], int(labels[e]))
            total -= probability(x[i], y, means)
        scores.append(total)
    return scores


@pytest.fixture
def few(problem):
    rows = torch.cat([(problem.labels == c).nonzero().flatten()[:n] for c, n in ((1, 5), (4, 6))])
    rows = torch.cat((rows, (problem.labels == 7).nonzero().flatten()[:1]))  # alone in its class
    return problem.x[rows].double(), problem.labels[rows]


@pytest.mark.parametrize("rows", [5, 1024])
def test_scores_are_those_of_the_loop(few, rows, monkeypatch) -> None:
    monkeypatch.setattr(infoscore, "_ROWS", rows)
    x, labels = few
    audience = torch.tensor([0, 3, 4, 7, 9, 11])
    got = info_scores(x, labels, audience, T)
    torch.testing.assert_close(got.double(), torch.tensor(loop(x, labels, audience)).double())


def test_the_best_of_each_class_are_taken(problem) -> None:
    got = InfoScore(temperature=T).condense(problem.x, problem.labels, 2)
    scores = info_scores(problem.x, problem.labels, torch.arange(len(problem.x)), T)
    own = (problem.labels == 6).nonzero().flatten()
    assert sorted(got.exemplars[got.labels == 6].tolist()) == sorted(
        own[scores[own].topk(2).indices].tolist()
    )


def test_an_item_among_those_of_another_class_harms(problem) -> None:
    x = problem.x.clone()
    x[0] = torch.nn.functional.normalize(x[problem.labels == 3].mean(dim=0), dim=0)
    scores = info_scores(x, problem.labels, torch.arange(len(x)), T)
    assert scores.argmin() == 0
    assert scores[0] < 0
