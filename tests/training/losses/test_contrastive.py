import open_clip
import pytest
import torch
from torch.autograd import gradcheck
from torch.nn.functional import normalize

from clipfg.training.losses.contrastive import contrastive
from tests.training.losses.plain import cosine, draw, mean, surprise


def reference(images, texts, scale, also_true=None):
    n = len(images)
    also_true = also_true or [[False] * n for _ in range(n)]
    losses = []
    for i in range(n):
        kept = [j for j in range(n) if j == i or not also_true[i][j]]
        losses.append(surprise([scale * cosine(images[i], texts[j]) for j in kept], kept.index(i)))
        kept = [j for j in range(n) if j == i or not also_true[j][i]]
        losses.append(surprise([scale * cosine(images[j], texts[i]) for j in kept], kept.index(i)))
    return mean(losses)


@pytest.mark.parametrize("masked", [False, True])
def test_it_is_the_formula(masked) -> None:
    x, y, scale = draw(5, 4), draw(5, 4, seed=1), torch.tensor(7.0, dtype=torch.float64)
    also_true = torch.rand(5, 5, generator=torch.Generator().manual_seed(2)) < 0.4
    mask = also_true if masked else None
    expected = reference(x.tolist(), y.tolist(), 7.0, also_true.tolist() if masked else None)
    assert contrastive(x, y, scale, mask).item() == pytest.approx(expected, abs=1e-10)
    assert gradcheck(lambda *v: contrastive(*v, mask), (x, y, scale.requires_grad_()))


def test_a_pair_that_is_also_true_gets_no_gradient() -> None:
    x, y = draw(2, 4), draw(2, 4, seed=1)
    loss = contrastive(x, y, 10.0, torch.ones(2, 2, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.any()


def test_a_batch_of_copies_is_at_chance() -> None:
    x = draw(1, 4).expand(8, 4)
    assert contrastive(x, x, 30.0).item() == pytest.approx(torch.log(torch.tensor(8.0)).item())


def test_it_does_not_depend_on_the_order_of_the_pairs() -> None:
    x, y, order = draw(6, 4), draw(6, 4, seed=1), torch.randperm(6)
    torch.testing.assert_close(contrastive(x[order], y[order], 9.0), contrastive(x, y, 9.0))


def test_it_is_open_clip_s() -> None:
    x, y = (normalize(draw(6, 4, seed=s), dim=1) for s in (0, 1))
    torch.testing.assert_close(contrastive(x, y, 20.0), open_clip.ClipLoss()(x, y, 20.0))
