import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from clipfg.heads.ape import APE
from clipfg.heads.ape_t import APET

SETTINGS = {"alpha": 2.0, "beta": 4.0, "gamma": 0.2, "scale": 10.0}


@pytest.mark.parametrize("with_texts", [False, True])
def test_untrained_it_is_ape(problem, with_texts) -> None:
    texts = problem.texts if with_texts else None
    plain = APE().fit(problem.x, problem.labels, texts)
    trained = APET(most_steps=0, floor=0.0).fit(problem.x, problem.labels, texts)
    assert torch.equal(plain.logits(problem.queries), trained.logits(problem.queries))


@pytest.mark.parametrize("with_texts", [False, True])
def test_training_makes_unseen_images_likelier(problem, with_texts) -> None:
    texts = problem.texts if with_texts else None
    before = APE(**SETTINGS).fit(problem.x, problem.labels, texts)
    after = APET(**SETTINGS, floor=0.0).fit(problem.x, problem.labels, texts)
    losses = []
    for head in (before, after):
        logits = head.logits(problem.queries)
        losses.append(cross_entropy(logits if with_texts else logits.log(), problem.truth))
    assert losses[1] < losses[0]


@pytest.mark.parametrize("groups", [torch.arange(48), torch.arange(48) // 2 % 12])
def test_one_step_follows_the_gradient_of_a_plain_loop(problem, groups) -> None:
    rate = 1e-3
    plain = APE(**SETTINGS).fit(problem.x, problem.labels, problem.texts)
    head = APET(**SETTINGS, epochs=1, learning_rate=rate)
    head.fit(problem.x, problem.labels, problem.texts, groups=groups)
    kept, width = plain.channels_, problem.x.shape[1]
    residuals = torch.zeros(6, len(kept), requires_grad=True)
    factors = torch.ones(len(problem.x), requires_grad=True)
    place = torch.zeros(len(kept), width)
    place[torch.arange(len(kept)), kept] = 1
    texts = [problem.texts[c] + residuals[c] @ place for c in range(6)]
    texts = [text / text.norm() for text in texts]
    loss = torch.zeros(())
    for i, label in enumerate(problem.labels):
        logits = [10 * text @ problem.x[i] for text in texts]
        for j, other in enumerate(problem.labels.tolist()):
            if groups[i] != groups[j]:
                key = plain.keys_[j] + residuals[other]
                near = torch.exp(-4 * (1 - plain.keys_[i] @ key / key.norm()))
                logits[other] = logits[other] + plain.strengths_[j] * factors[j] * near
        loss = loss + cross_entropy(torch.stack(logits)[None], label[None]) / len(problem.x)
    loss.backward()
    moved = -rate * residuals.grad / (residuals.grad.abs() + 1e-4)  # Adam's first step
    decayed = 1 - 1e-2 * rate  # AdamW's, of what is not 0
    grown = decayed - rate * factors.grad / (factors.grad.abs() + 1e-4)
    expected = normalize(plain.keys_ + moved[problem.labels], dim=1)
    torch.testing.assert_close(head.keys_, expected, atol=2e-6, rtol=1e-5)
    expected = normalize(problem.texts + moved @ place, dim=1)
    torch.testing.assert_close(head.texts_, expected, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(head.strengths_, plain.strengths_ * grown, rtol=1e-4, atol=1e-6)


def test_a_class_of_one_image_keeps_its_key_in_the_cache(one_shot) -> None:
    head = APET().fit(one_shot.x, one_shot.labels)
    assert torch.isfinite(head.logits(one_shot.queries)).all()
