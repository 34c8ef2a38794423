"""No test label, and no test image, has a say in what a head learns."""

from dataclasses import replace
from inspect import signature

import numpy as np
import pytest
import torch

from clipfg.evaluation.curves.learning_curve import LearningCurveCell
from clipfg.heads import HEADS, FeatureSets
from clipfg.heads.items import Items
from clipfg.heads.support import Support
from clipfg.workflows.fewshot.heads import ZERO_SHOT, HeadSet, HeadSpec
from clipfg.workflows.fewshot.scoring import judge
from clipfg.workflows.fewshot.trials import by_folds, by_shots
from clipfg.workflows.protocol.support_sets import Shots, draw_supports
from tests.heads.conftest import make_problem

SEEDS = (0, 1)
SHOTS = (Shots(1), Shots(4))


@pytest.fixture(scope="module")
def problem():
    return make_problem(shots=8)


def support_of(problem) -> Support:
    support = Support.of("test", problem.x, problem.labels, problem.texts)
    return replace(support, patches=patches_of(problem.x))


def patches_of(x: torch.Tensor) -> FeatureSets:
    """Two patches for each image: its feature, and that with its channels in reverse."""
    rows = torch.stack([x, x.flip(1)], dim=1).flatten(0, 1)
    return FeatureSets(rows, 2 * torch.arange(len(x) + 1), torch.tensor([[1, 2]] * len(x)))


def learners(*names: str) -> HeadSet:
    specs = tuple(map(HeadSpec, names))
    return HeadSet(specs, specs[0])


def run(problem, pool, *names: str):
    draws = draw_supports(problem.labels.numpy(), SEEDS)
    items = Items(pool, patches=patches_of(pool))
    return by_shots(learners(*names), support_of(problem), draws, SHOTS, SEEDS, items)


def fits_here(name: str) -> bool:
    """Whether a head learns from features of single images."""
    kind = HEADS.get(name)
    return not kind.needs_encoder and kind.consumes != "bags"


@pytest.mark.parametrize("name", [n for n in HEADS if fits_here(n)])
def test_a_head_learns_the_same_whatever_it_is_tested_on(problem, name, monkeypatch) -> None:
    """What a head has chosen is bit-equal with another test set, and so is what it predicts."""
    if name == "patch-prototypes":
        monkeypatch.setattr(
            HEADS.get(name).__init__, "__defaults__", (16, 5, 5, 32, 0.05, 3e-3, 10, 0.03, 0)
        )
    trials, head = run(problem, problem.queries, name)
    others, again = run(problem, problem.queries.flip(0)[:50], name)
    for key, value in head.fitted.items():
        other = again.fitted[key]
        assert torch.equal(value, other) if torch.is_tensor(value) else value == other
    for trial, other in zip(trials, others, strict=True):
        assert np.array_equal(trial.predictions[:, ::-1][:, :50], other.predictions)


def test_there_is_no_way_in_for_a_test_label() -> None:
    assert "label" not in " ".join(signature(by_shots).parameters)
    assert list(signature(HeadSpec.predict).parameters) == ["self", "head", "pool"]


def test_each_learns_from_its_draw_alone(problem) -> None:
    draws = draw_supports(problem.labels.numpy(), SEEDS)
    trials, head = run(problem, problem.queries, "gda", "class-mean")
    assert [(t.spec.name, t.shots) for t in trials] == [
        ("gda", "1"), ("gda", "4"), ("class-mean", "1"), ("class-mean", "4"),
    ]  # fmt: skip
    for trial in trials:
        for place, seed in enumerate(SEEDS):
            rows = torch.from_numpy(draws.rows(place, Shots(int(trial.shots))))
            options = {"seed": seed} if trial.spec.name == "gda" else {}
            alone = HEADS.get(trial.spec.name)(**options)
            alone.fit(problem.x[rows], problem.labels[rows], problem.texts)
            expected = alone.logits(problem.queries).argmax(dim=1).numpy()
            assert np.array_equal(trial.predictions[place], expected)
            if (trial.spec.name, trial.shots, place) == ("gda", "4", 0):
                assert torch.equal(head.logits(problem.queries), alone.logits(problem.queries))


def test_folds_predict_what_they_have_not_learnt(problem) -> None:
    support = support_of(problem)
    held = by_folds(learners("class-mean", ZERO_SHOT), support, SEEDS)
    assert held.rows.tolist() == list(range(len(support)))
    for place, seed in enumerate(SEEDS):
        for train, rows in support.splits(seed):
            alone = HEADS.get("class-mean")().fit(train.features, train.labels)
            expected = alone.logits(support.features[rows])
            predicted = held.trials[0].predictions[place][rows.numpy()]
            assert np.array_equal(predicted, expected.argmax(dim=1).numpy())
            if place == 0:
                torch.testing.assert_close(held.logits[rows], expected)
    assert held.trials[1].predictions.shape == (1, len(support))  # zero-shot learns nothing


def test_the_judge_compares_with_the_first_on_the_same_items(problem) -> None:
    refined = HeadSpec("gda", "label-propagation")
    who = HeadSet((*learners(ZERO_SHOT, "gda", "class-mean").specs, refined), HeadSpec("gda"))
    draws = draw_supports(problem.labels.numpy(), SEEDS)
    trials, _ = by_shots(who, support_of(problem), draws, SHOTS, SEEDS, Items(problem.queries))
    curve = judge(who, trials, problem.truth.numpy(), 6)
    cells: dict[str, dict[str, LearningCurveCell]] = {}
    for cell in curve.cells:
        cells.setdefault(cell.label, {})[cell.shots] = cell
    assert list(cells) == [ZERO_SHOT, "gda", "class-mean", "gda+label-propagation (transductive)"]
    assert list(cells[ZERO_SHOT]) == [""]
    assert cells["gda"]["4"].against is None
    gap = cells["class-mean"]["4"].top1.value - cells["gda"]["4"].top1.value
    assert cells["class-mean"]["4"].against.estimate.value == pytest.approx(gap)
    assert np.mean(cells["gda"]["1"].by_seed) == pytest.approx(cells["gda"]["1"].top1.value)
    assert all(row["transductive"] == ("+" in row["head"]) for row in curve.rows())
