import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from clipfg.errors import DataError
from clipfg.heads.class_mean import ClassMean
from clipfg.heads.prolip import ProLIP
from clipfg.heads.zero_shot import ZeroShot


def test_untuned_it_is_zero_shot_or_the_class_mean(problem, one_shot) -> None:
    head = ProLIP(steps=0).fit(problem.x, problem.labels, problem.texts)
    texts = ZeroShot().fit(text_weights=problem.texts)
    torch.testing.assert_close(head.logits(problem.queries), texts.logits(problem.queries))
    alone = ProLIP().fit(one_shot.x, one_shot.labels)
    means = ClassMean().fit(one_shot.x, one_shot.labels)
    torch.testing.assert_close(alone.logits(one_shot.queries), means.logits(one_shot.queries))


@pytest.mark.parametrize("with_texts", [True, False])
@pytest.mark.parametrize("groups", [torch.arange(48), torch.arange(48) // 4])
def test_the_loss_is_that_of_a_plain_loop(problem, with_texts, groups) -> None:
    from clipfg.heads.support import Support

    texts = problem.texts if with_texts else None
    support = Support.of("prolip", problem.x, problem.labels, texts, groups=groups)
    generator = torch.Generator().manual_seed(0)
    projection = torch.eye(20) + 0.1 * torch.randn(20, 20, generator=generator)
    rows = torch.arange(len(problem.x))
    logits, labels = ProLIP(scale=10.0)._training_logits(support, projection, rows)
    for i, row in enumerate(logits):
        for c in range(6):
            others = (problem.labels == c) & (groups != groups[i])
            weight = texts[c] if with_texts else problem.x[others].mean(0) @ projection
            expected = 10 * normalize(problem.x[i] @ projection, dim=0) @ normalize(weight, dim=0)
            torch.testing.assert_close(row[c], expected, atol=1e-4, rtol=1e-4)
    assert torch.equal(labels, problem.labels)


def test_tuning_lowers_the_penalised_loss_and_a_large_penalty_holds_it(problem) -> None:
    given = (problem.x, problem.labels, problem.texts)
    head = ProLIP(scale=20.0).fit(*given)
    before = cross_entropy(20 * problem.x @ problem.texts.T, problem.labels)
    away = (head.projection_ - torch.eye(20)).square().sum()
    assert cross_entropy(head.logits(problem.x), problem.labels) + away / 8 < before
    held = ProLIP(scale=20.0, penalty=1e4).fit(*given)
    assert (held.projection_ - torch.eye(20)).norm() < 0.1 * away.sqrt()


def test_features_of_another_width_are_refused(problem, unchecked) -> None:
    head = ProLIP().fit(problem.x, problem.labels)
    with pytest.raises(DataError, match="width 20, got width 3"):
        head.logits(torch.eye(3))
