import pytest
import torch
from torch.autograd import gradcheck

from clipfg.training.losses.region_phrases import region_phrases
from tests.training.losses.plain import cosine, draw, mean, surprise

MASK = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])


def reference(regions, phrases, mask, scale, ids):
    kept = [(i, j) for i, row in enumerate(mask) for j, valid in enumerate(row) if valid]
    losses = []
    for a in kept:
        rivals = [b for b in kept if b == a or ids is None or ids[b[0]][b[1]] != ids[a[0]][a[1]]]
        for one, other in ((regions, phrases), (phrases, regions)):
            scores = [scale * cosine(one[a[0]][a[1]], other[i][j]) for i, j in rivals]
            losses.append(surprise(scores, rivals.index(a)))
    return mean(losses)


@pytest.mark.parametrize("numbered", [False, True])
def test_it_is_the_formula(numbered) -> None:
    x, y, scale = draw(3, 3, 4), draw(3, 3, 4, seed=1), draw(seed=3)
    ids = torch.tensor([[0, 9, 1], [9, 9, 9], [0, 0, 2]]) if numbered else None
    expected = reference(
        x.tolist(), y.tolist(), MASK.tolist(), scale.item(), ids.tolist() if numbered else None
    )
    assert region_phrases(x, y, MASK, scale, ids).item() == pytest.approx(expected, abs=1e-10)
    assert gradcheck(lambda x, y, s: region_phrases(x, y, MASK, s, ids), (x, y, scale))


def test_equal_phrases_are_no_negatives_of_each_other() -> None:
    x, y = draw(1, 2, 4), draw(1, 1, 4).expand(1, 2, 4)
    both = torch.ones(1, 2, dtype=torch.bool)
    assert region_phrases(x, y, both, 10.0).item() > 0.1
    assert region_phrases(x, y, both, 10.0, torch.zeros(1, 2, dtype=torch.long)).item() == 0


@pytest.mark.parametrize("valid", [0, 1])
def test_no_region_and_one_region_cost_nothing(valid) -> None:
    x, y, scale = draw(2, 3, 4), draw(2, 3, 4, seed=1), draw(seed=3)
    mask = torch.zeros(2, 3, dtype=torch.bool)
    mask[0, :valid] = True
    loss = region_phrases(x, y, mask, scale)
    loss.backward()
    assert loss.item() == 0
    assert not any(v.grad.any() for v in (x, y, scale))


def test_padding_may_hold_anything() -> None:
    x, y = draw(3, 3, 4), draw(3, 3, 4, seed=1)
    spoilt = x.detach().masked_fill(~MASK[..., None], torch.nan).requires_grad_()
    loss = region_phrases(spoilt, y, MASK, 5.0)
    loss.backward()
    torch.testing.assert_close(loss, region_phrases(x, y, MASK, 5.0))
    assert spoilt.grad.isfinite().all()
