import pytest
import torch
from torch.nn.functional import cross_entropy

from clipfg.functional.similarity import unit_norm
from clipfg.heads import HEADS
from clipfg.heads.auto import FEW, MEMBERS, Auto
from clipfg.heads.support import Support
from clipfg.heads.text_weighting import ONE_SHOT
from clipfg.heads.zero_shot import ZeroShot
from tests.heads.conftest import make_problem


def standardised(logits: torch.Tensor) -> torch.Tensor:
    centred = logits - logits.mean(1, keepdim=True)
    return logits / centred.square().mean().sqrt()


def right(head, problem) -> float:
    return float((head.logits(problem.queries).argmax(1) == problem.truth).double().mean())


@pytest.mark.parametrize(("shots", "members"), [(3, 1), (4, 2)])
def test_held_out_accuracy_is_that_of_the_mean(shots, members) -> None:
    problem = make_problem(shots=shots)
    support = Support.of("auto", problem.x, problem.labels, None)
    rows = support.validation_rows(0)
    scores = 0
    for name in MEMBERS[:members]:
        alone = HEADS.get(name)().fit(problem.x, problem.labels)
        scores = scores + standardised(alone.held_out(support, rows))
    head = Auto().fit(problem.x, problem.labels)
    assert tuple(head.members_) == MEMBERS[:members]
    hits = scores.argmax(1) == problem.labels[rows]
    assert head.held_out_ == pytest.approx(float(hits.double().mean()))


def test_logits_are_texts_and_members_by_their_factors(problem) -> None:
    head = Auto().fit(problem.x, problem.labels, problem.texts)
    parts = []
    for name, spread in zip(head.members_, head.spreads_, strict=True):
        alone = HEADS.get(name)(alpha=1.0).fit(problem.x, problem.labels, problem.texts)
        parts.append(alone.images(problem.queries) / spread)
    blend = torch.stack(parts).mean(0)
    expected = head.tau_ * problem.queries @ problem.texts.T + head.beta_ * blend
    torch.testing.assert_close(head.logits(problem.queries), expected, rtol=1e-3, atol=1e-3)


def test_very_many_images_take_the_whitened_mean(problem, monkeypatch) -> None:
    monkeypatch.setattr("clipfg.heads.auto.LARGE", 47)
    assert Auto().fit(problem.x, problem.labels).members_ == ["whitened-mean"]


def test_factors_are_the_likeliest_on_held_out_images() -> None:
    problem = make_problem(shots=3)  # one member, whose held-out scores are at hand
    head = Auto().fit(problem.x, problem.labels, problem.texts)
    support = Support.of("auto", problem.x, problem.labels, problem.texts)
    rows = support.validation_rows(0)
    alone = HEADS.get("whitened-mean")(alpha=1.0).fit(problem.x, problem.labels, problem.texts)
    blend = standardised(alone.held_out(support, rows))
    texts = problem.x[rows] @ problem.texts.T
    measured = head.beta_ / ((1 + 1 / 2) / (1 + 1 / 3))

    spreads = torch.stack([part.std(correction=0) for part in (texts, blend)])

    def loss(tau: float, beta: float) -> float:
        prior = (torch.tensor([tau, beta]) * spreads / 10).square().sum() / (2 * len(rows))
        return float(cross_entropy(tau * texts + beta * blend, problem.labels[rows]) + prior)

    best = loss(head.tau_, measured)
    for tau in torch.linspace(0, 3 * head.tau_ + 1, 25).tolist():
        for beta in torch.linspace(0, 3 * measured + 1, 25).tolist():
            assert best <= loss(tau, beta) + 1e-3


def test_uninformative_texts_get_no_weight_and_good_ones_keep_theirs() -> None:
    for shots in (1, 2, 4):
        few = make_problem(shots=shots)
        images = Auto().fit(few.x, few.labels)
        noise = unit_norm(torch.randn(few.texts.shape, generator=torch.Generator().manual_seed(1)))
        assert right(Auto().fit(few.x, few.labels, noise), few) > right(images, few) - 0.05
        means = torch.stack([few.queries[few.truth == c].mean(0) for c in range(6)])
        perfect = unit_norm(means - means.mean(0))  # as good as texts can be
        texts = ZeroShot().fit(text_weights=perfect)
        both = Auto().fit(few.x, few.labels, perfect)
        assert right(both, few) > max(right(texts, few), right(images, few)) - 0.03


@pytest.mark.parametrize("shots", [1, 2, 8])
def test_of_two_classes_it_is_surer_where_it_is_right(shots) -> None:
    problem = make_problem(shots=shots)
    two = problem.labels < 2
    head = Auto().fit(problem.x[two], problem.labels[two])
    asked = problem.truth < 2
    queries = problem.queries[asked] + 0.3 * torch.randn(
        problem.queries[asked].shape, generator=torch.Generator().manual_seed(0)
    )
    logits = head.logits(unit_norm(queries))
    sure = (logits[:, 0] - logits[:, 1]).abs()
    hit = logits.argmax(1) == problem.truth[asked]
    assert 0 < hit.sum() < len(hit)
    assert sure[hit].mean() > 1.3 * sure[~hit].mean()


def test_one_shot_measures_texts_on_the_support(one_shot) -> None:
    head = Auto().fit(one_shot.x, one_shot.labels, one_shot.texts)
    assert (head.beta_, head.held_out_) == (ONE_SHOT, -1.0)
    silent = Auto().fit(one_shot.x, one_shot.labels, one_shot.texts.roll(1, dims=0))
    assert silent.tau_ < 0.1 * head.tau_ < 1000


def test_few_shots_take_the_whitened_mean() -> None:
    few = make_problem(shots=FEW - 1)
    head = Auto().fit(few.x, few.labels)
    alone = HEADS.get("whitened-mean")().fit(few.x, few.labels)
    assert head.members_ == ["whitened-mean"]
    chosen = head.logits(few.queries).argmax(1)
    assert torch.equal(chosen, alone.logits(few.queries).argmax(1))


@pytest.mark.parametrize("name", MEMBERS)
def test_held_out_logits_spread_as_those_of_other_images(problem, name) -> None:
    head = HEADS.get(name)().fit(problem.x, problem.labels)
    support = Support.of("auto", problem.x, problem.labels, None)
    held = head.held_out(support, support.validation_rows(0))
    others = head.logits(problem.queries)
    assert float(held.std(1).mean() / others.std(1).mean()) == pytest.approx(1, rel=0.25)


@pytest.mark.parametrize("name", MEMBERS)
def test_held_out_logits_have_not_seen_the_image(problem, name) -> None:
    """Whatever label an image has, what is said of it comes from the others."""
    head = HEADS.get(name)().fit(problem.x, problem.labels)
    support = Support.of("auto", problem.x, problem.labels, None)
    rows = torch.tensor([0])
    before = head.held_out(support, rows)
    moved = problem.x.clone()
    moved[0] = problem.x[20]
    tampered = head.held_out(Support.of("auto", moved, problem.labels, None), rows)
    as_that = HEADS.get(name)().fit(moved, problem.labels).held_out(support, rows)
    assert not torch.equal(before, tampered)  # another image is scored
    assert as_that.shape == before.shape == (1, 6)
