import math

import pytest
from torch.autograd import gradcheck

from clipfg.training.losses.text_contrast import text_contrast
from tests.training.losses.plain import cosine, draw, mean


def reference(texts, neighbours, same):
    losses = []
    for i, text in enumerate(texts):
        row = [0.0 if i == j else cosine(text, other) for j, other in enumerate(texts)]
        row = sorted((0.0 if s > same else s for s in row), reverse=True)[:neighbours]
        losses.append(math.log(sum(math.exp(s) for s in row)))
    return mean(losses)


@pytest.mark.parametrize("n", [2, 9, 10, 14])
def test_it_is_the_formula_for_few_and_many(n) -> None:
    texts = draw(n, 4)
    expected = reference(texts.tolist(), 10, 0.95)
    assert text_contrast(texts).item() == pytest.approx(expected, abs=1e-10)
    assert gradcheck(text_contrast, (texts,))


def test_texts_that_say_the_same_are_not_pushed_apart() -> None:
    texts = draw(1, 4).expand(3, 4) + 0.01 * draw(3, 4, seed=1).detach()
    texts = texts.detach().requires_grad_()
    loss = text_contrast(texts)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(3))
    assert not texts.grad.any()


@pytest.mark.parametrize("n", [0, 1])
def test_no_text_and_one_text_cost_nothing(n) -> None:
    texts = draw(n, 4)
    loss = text_contrast(texts)
    loss.backward()
    assert loss.item() == 0
    assert not texts.grad.any()
