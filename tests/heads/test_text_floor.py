import pytest
import torch

from clipfg.functional.similarity import unit_norm
from clipfg.heads import HEADS
from clipfg.heads.support import Support
from clipfg.heads.text_weighting import share_of_images
from tests.heads.conftest import Problem, make_problem

NAMES = ("linear-probe", "cross-modal-linear-probe", "tip-adapter-f", "ape-t")


def perfect(problem: Problem) -> torch.Tensor:
    """Texts as good as they can be."""
    means = torch.stack([problem.queries[problem.truth == c].mean(dim=0) for c in range(6)])
    return unit_norm(means - means.mean(dim=0))


def right(logits: torch.Tensor, problem: Problem) -> float:
    return float((logits.argmax(dim=1) == problem.truth).double().mean())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shots", [1, 2, 4])
def test_no_head_ends_markedly_below_the_texts(name, shots) -> None:
    few = make_problem(shots=shots)
    texts = perfect(few)
    head = HEADS.get(name)().fit(few.x, few.labels, texts)
    assert right(head.logits(few.queries), few) > right(few.queries @ texts.T, few) - 0.05


def test_the_floor_is_measured_on_refitted_folds() -> None:
    few = make_problem(shots=2)
    means = torch.stack([few.x[few.labels == c].mean(dim=0) for c in range(6)])
    texts = unit_norm(means - means.mean(dim=0))  # which know the support
    support = Support.of("test", few.x, few.labels, texts)
    plain = HEADS.get("linear-probe")(floor=0.0).fit(few.x, few.labels)
    folds, own = support.folds(0), torch.zeros(12, 6)
    for fold in range(2):
        kept = folds != fold
        part = HEADS.get("linear-probe")(cost=plain.cost_, floor=0.0)
        own[~kept] = part.fit(few.x[kept], few.labels[kept]).logits(few.x[~kept])
    by_text = few.x @ texts.T
    assert (own.argmax(1) == few.labels).sum() < (by_text.argmax(1) == few.labels).sum()
    floor = 1 / share_of_images(support, own, torch.arange(12))
    head = HEADS.get("linear-probe")().fit(few.x, few.labels, texts)
    assert head.floor_ == pytest.approx(floor, rel=0.02)
    added = head.logits(few.queries) - plain.logits(few.queries)
    expected = head.floor_ * few.queries @ texts.T
    torch.testing.assert_close(added, expected, atol=0.02, rtol=1e-3)


def test_a_head_that_beats_the_texts_stays_as_it_is(problem) -> None:
    noise = unit_norm(torch.randn(6, 20, generator=torch.Generator().manual_seed(1)))
    plain = HEADS.get("linear-probe")().fit(problem.x, problem.labels)
    head = HEADS.get("linear-probe")().fit(problem.x, problem.labels, noise)
    assert head.floor_ == 0
    assert torch.equal(head.logits(problem.queries), plain.logits(problem.queries))


def test_one_shot_is_not_misled_by_texts_that_say_nothing(one_shot) -> None:
    noise = unit_norm(torch.randn(6, 20, generator=torch.Generator().manual_seed(1)))
    plain = HEADS.get("linear-probe")().fit(one_shot.x, one_shot.labels)
    head = HEADS.get("linear-probe")().fit(one_shot.x, one_shot.labels, noise)
    found, before = (right(h.logits(one_shot.queries), one_shot) for h in (head, plain))
    assert found > before - 0.05
