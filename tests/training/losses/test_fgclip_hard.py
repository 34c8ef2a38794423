import pytest
import torch
from torch.autograd import gradcheck

from clipfg.training.losses.fgclip_hard import fgclip_hard
from tests.training.losses.plain import cosine, draw, mean, surprise

MASK = torch.tensor([[True, False], [True, True], [False, False], [True, True]])
IDS = torch.tensor([[0, 8, 7], [1, 3, 4], [0, 9, 9], [2, 0, 5]])  # 0 twice true, once false


def reference(x, y, no, scale, margin, mask, ids):
    n = range(len(x))
    wrong = [(i, j) for i in n for j, valid in enumerate(mask[i]) if valid]
    phrases = [(ids[i][0], y[i]) for i in n] + [(ids[i][1 + j], no[i][j]) for i, j in wrong]
    to_phrases, to_regions, own, missed = [], [], [], []
    for i in n:
        kept = [k for k, (key, _) in enumerate(phrases) if k == i or key != ids[i][0]]
        scores = [scale * cosine(x[i], phrases[k][1]) for k in kept]
        to_phrases.append(surprise(scores, kept.index(i)))
        kept = [k for k in n if k == i or ids[k][0] != ids[i][0]]
        to_regions.append(surprise([scale * cosine(x[k], y[i]) for k in kept], kept.index(i)))
        texts = [y[i]] + [no[i][j] for a, j in wrong if a == i]
        own.append(surprise([scale * cosine(x[i], text) for text in texts], 0))
    true = [scale * cosine(x[i], y[i]) for i in n]
    false = [scale * cosine(x[i], no[i][j]) for i, j in wrong]
    missed = [max(0.0, margin + f - true[i]) for f, (i, _) in zip(false, wrong, strict=True)]
    among_all = (mean(to_phrases) + mean(to_regions)) / 2
    loss = 0.6 * among_all + 3 * mean(own) + 0.4 * mean(missed)
    return loss, min(10.0, max(0.0, mean(true) - mean(false)))


def test_it_is_the_formula() -> None:
    x, y, no, scale = draw(4, 5), draw(4, 5, seed=1), draw(4, 2, 5, seed=2), draw(seed=3)
    got = fgclip_hard(x, y, no, scale, 1.5, MASK, IDS)
    expected = reference(
        x.tolist(), y.tolist(), no.tolist(), scale.item(), 1.5, MASK.tolist(), IDS.tolist()
    )
    assert got.loss.item() == pytest.approx(expected[0], abs=1e-10)
    assert got.margin.item() == pytest.approx(expected[1], abs=1e-10)
    assert gradcheck(lambda *v: fgclip_hard(*v, 1.5, MASK, IDS).loss, (x, y, no, scale))


def test_without_ids_every_other_phrase_is_a_negative() -> None:
    x, y, no = draw(4, 5), draw(4, 5, seed=1), draw(4, 2, 5, seed=2)
    ids = torch.arange(12).view(4, 3)
    torch.testing.assert_close(fgclip_hard(x, y, no, 5.0), fgclip_hard(x, y, no, 5.0, ids=ids))


def test_the_margin_is_last_step_s_gap_within_0_and_10() -> None:
    x = draw(3, 5)
    apart = fgclip_hard(x, x, -x[:, None], 2.0)
    assert apart.margin.item() == pytest.approx(4.0)
    assert not apart.margin.requires_grad
    assert fgclip_hard(x, x, -x[:, None], 50.0).margin.item() == 10
    assert fgclip_hard(x, -x, x[:, None], 2.0).margin.item() == 0


def test_a_step_without_false_phrases_hands_the_margin_on() -> None:
    x = draw(3, 5)
    assert fgclip_hard(x, x, draw(3, 0, 5), 2.0, 3.5).margin.item() == 3.5
    none = fgclip_hard(draw(0, 5), draw(0, 5), draw(0, 2, 5), 2.0, torch.tensor(3.5))
    assert none.loss.item() == 0
    assert none.margin.item() == 3.5


def test_padding_may_hold_anything() -> None:
    x, y, no = draw(4, 5), draw(4, 5, seed=1), draw(4, 2, 5, seed=2)
    spoilt = no.detach().masked_fill(~MASK[..., None], torch.nan)
    got = fgclip_hard(x, y, spoilt, 5.0, 1.0, MASK)
    got.loss.backward()
    torch.testing.assert_close(got, fgclip_hard(x, y, no, 5.0, 1.0, MASK))
    assert x.grad.isfinite().all()
