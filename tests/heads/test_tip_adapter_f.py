import pytest
import torch
from torch.nn.functional import cross_entropy

from clipfg.heads.tip_adapter import TipAdapter
from clipfg.heads.tip_adapter_f import TipAdapterF
from tests.heads.conftest import make_problem


def test_untrained_it_is_tip_adapter(problem) -> None:
    plain = TipAdapter().fit(problem.x, problem.labels, problem.texts)
    trained = TipAdapterF(most_steps=0, floor=0.0).fit(problem.x, problem.labels, problem.texts)
    assert torch.equal(plain.logits(problem.queries), trained.logits(problem.queries))


def test_training_makes_unseen_images_likelier(problem) -> None:
    settings = {"alpha": 3.0, "beta": 5.5, "scale": 10.0}
    before = TipAdapter(**settings).fit(problem.x, problem.labels, problem.texts)
    after = TipAdapterF(**settings, floor=0.0).fit(problem.x, problem.labels, problem.texts)
    losses = [cross_entropy(h.logits(problem.queries), problem.truth) for h in (before, after)]
    assert losses[1] < losses[0]


@pytest.mark.parametrize("groups", [torch.arange(48), torch.arange(48) // 2 % 12])
def test_one_step_follows_the_gradient_of_a_plain_loop(problem, groups) -> None:
    head = TipAdapterF(alpha=2.0, beta=4.0, scale=10.0, epochs=1, learning_rate=1e-3)
    head.fit(problem.x, problem.labels, problem.texts, groups=groups)
    keys = problem.x.clone().requires_grad_()
    loss = torch.zeros(())
    for i, label in enumerate(problem.labels):
        logits = 10 * problem.texts @ problem.x[i]
        for j, other in enumerate(problem.labels):
            if groups[i] != groups[j]:
                near = torch.exp(-4 * (1 - problem.x[i] @ keys[j]))
                logits = logits + 2 * near * torch.eye(6)[other]
        loss = loss + cross_entropy(logits[None], label[None]) / len(problem.x)
    loss.backward()
    moved = head.keys_ - problem.x * (1 - 1e-3 * 0.01)  # AdamW's decay
    expected = -1e-3 * keys.grad / (keys.grad.abs() + 1e-4)  # Adam's first step
    torch.testing.assert_close(moved, expected, atol=2e-6, rtol=1e-2)


def test_without_texts_and_with_one_shot() -> None:
    problem = make_problem(shots=1)
    head = TipAdapterF().fit(problem.x, problem.labels)
    assert torch.isfinite(head.logits(problem.queries)).all()
