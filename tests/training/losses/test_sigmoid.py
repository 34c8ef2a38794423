import math

import pytest
import torch
from open_clip.loss import SigLipLoss
from torch.autograd import gradcheck
from torch.nn.functional import normalize

from clipfg.training.losses.sigmoid import sigmoid
from tests.training.losses.plain import cosine, draw


def reference(images, texts, scale, bias, left_out):
    total = 0.0
    for i, image in enumerate(images):
        for j, text in enumerate(texts):
            if i != j and left_out[i][j]:
                continue
            logit = scale * cosine(image, text) + bias
            total += math.log1p(math.exp(-logit if i == j else logit))
    return total / len(images)


@pytest.mark.parametrize("masked", [False, True])
def test_it_is_the_formula(masked) -> None:
    x, y = draw(5, 4), draw(5, 4, seed=1)
    scale, bias = draw(seed=2), draw(seed=3)
    left_out = torch.rand(5, 5, generator=torch.Generator().manual_seed(2)) < (0.4 * masked)
    expected = reference(x.tolist(), y.tolist(), scale.item(), bias.item(), left_out.tolist())
    mask = left_out if masked else None
    assert sigmoid(x, y, scale, bias, mask).item() == pytest.approx(expected, abs=1e-10)
    assert gradcheck(lambda *v: sigmoid(*v, mask), (x, y, scale, bias))


def test_it_sums_over_pairs_and_divides_by_the_batch() -> None:
    """At logit 0 every pair costs log 2: b squared of them over b."""
    x = draw(7, 4)
    assert sigmoid(x, x, 0.0, 0.0).item() == pytest.approx(7 * math.log(2))


def test_it_is_open_clip_s() -> None:
    x, y = (normalize(draw(6, 4, seed=s), dim=1) for s in (0, 1))
    expected = SigLipLoss()(x, y, 20.0, -10.0)
    torch.testing.assert_close(sigmoid(x, y, 20.0, -10.0), expected)
