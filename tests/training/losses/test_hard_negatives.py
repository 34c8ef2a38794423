import math

import pytest
import torch
from torch.autograd import gradcheck

from clipfg.training.losses.hard_negatives import hard_negatives
from tests.training.losses.plain import cosine, draw, mean, surprise

MASK = torch.tensor([[True, True, False], [False, False, False], [True, True, True], [False] * 3])


def reference(rows, true, false, scale, mask):
    losses = []
    for i, row in enumerate(rows):
        texts = [true[i]] + [f for f, valid in zip(false[i], mask[i], strict=True) if valid]
        losses.append(surprise([scale * cosine(row, text) for text in texts], 0))
    return mean(losses)


@pytest.mark.parametrize("mask", [None, MASK])
def test_it_is_the_formula(mask) -> None:
    x, y, no, scale = draw(4, 5), draw(4, 5, seed=1), draw(4, 3, 5, seed=2), draw(seed=3)
    kept = torch.ones(4, 3) if mask is None else mask
    expected = reference(x.tolist(), y.tolist(), no.tolist(), scale.item(), kept.tolist())
    assert hard_negatives(x, y, no, scale, mask).item() == pytest.approx(expected, abs=1e-10)
    assert gradcheck(lambda *v: hard_negatives(*v, mask), (x, y, no, scale))


def test_texts_alike_are_at_chance() -> None:
    x, y = draw(2, 5), draw(2, 5, seed=1)
    loss = hard_negatives(x, y, y[:, None].expand(2, 10, 5), 50.0)
    assert loss.item() == pytest.approx(math.log(11))


@pytest.mark.parametrize(("b", "k"), [(0, 3), (2, 0)])
def test_without_rows_or_false_texts_it_is_0(b, k) -> None:
    x = draw(b, 5)
    loss = hard_negatives(x, draw(b, 5, seed=1), draw(b, k, 5), 50.0)
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.any()


def test_padding_may_hold_anything() -> None:
    x, y, no = draw(4, 5), draw(4, 5, seed=1), draw(4, 3, 5, seed=2)
    spoilt = no.detach().masked_fill(~MASK[..., None], torch.nan)
    loss = hard_negatives(x, y, spoilt, 5.0, MASK)
    loss.backward()
    torch.testing.assert_close(loss, hard_negatives(x, y, no, 5.0, MASK))
    assert x.grad.isfinite().all()
