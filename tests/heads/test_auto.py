from inspect import signature

import pytest
import torch

from clipfg.heads import HEADS
from clipfg.heads.auto import FEW, MEMBERS, WITH_TEXTS, Auto
from clipfg.heads.support import Support
from tests.heads.conftest import make_problem


@pytest.mark.parametrize("with_texts", [False, True])
def test_the_blend_is_the_best_of_a_plain_search(problem, with_texts) -> None:
    texts = problem.texts if with_texts else None
    head = Auto().fit(problem.x, problem.labels, texts)
    support = Support.of("auto", problem.x, problem.labels, texts)
    names = WITH_TEXTS if with_texts else MEMBERS
    assert set(head.members_) <= set(names)
    fold = support.folds(0)
    scores = {}
    for name in names:
        settled = HEADS.get(name)().fit(problem.x, problem.labels, texts)
        config = {k: getattr(settled, f"{k}_", v) for k, v in settled.config.items()}
        rows = torch.zeros(len(problem.x), 6)
        for part in fold.unique():
            own = fold == part
            one = HEADS.get(name)(**config).fit(problem.x[~own], problem.labels[~own], texts)
            logits = one.logits(problem.x[own])
            centred = logits - logits.mean(1, keepdim=True)
            rows[own] = centred / logits.std(1, keepdim=True, correction=0)
        scores[name] = rows

    def right(members) -> float:
        blend = sum(scores[name] for name in members)
        return float((blend.argmax(1) == problem.labels).double().mean())

    assert head.held_out_ == pytest.approx(right(head.members_))
    assert all(head.held_out_ >= right([name]) - 1e-9 for name in names)
    assert head.held_out_ >= right(names) - 1e-9


def test_few_shots_take_the_whitened_mean() -> None:
    few = make_problem(shots=FEW - 1)
    head = Auto().fit(few.x, few.labels)
    alone = HEADS.get("whitened-mean")().fit(few.x, few.labels)
    assert head.members_ == ["whitened-mean"]
    chosen = head.logits(few.queries).argmax(1)
    assert torch.equal(chosen, alone.logits(few.queries).argmax(1))


@pytest.mark.parametrize("name", list(HEADS))
def test_no_head_is_ever_shown_a_test_set(name) -> None:
    assert list(signature(HEADS.get(name).fit).parameters) == [
        "self", "features", "labels", "text_weights",
    ]  # fmt: skip


def test_scoring_queries_changes_nothing_that_was_chosen(problem) -> None:
    head = Auto().fit(problem.x, problem.labels)
    before = {k: v.clone() if torch.is_tensor(v) else v for k, v in head.fitted.items()}
    shuffled = problem.queries[torch.randperm(len(problem.queries))]
    head.logits(shuffled)
    again = Auto().fit(problem.x, problem.labels)
    for key, value in before.items():
        for other in (head.fitted[key], again.fitted[key]):
            assert torch.equal(value, other) if torch.is_tensor(value) else value == other
