import pytest
import torch
from torch.autograd import gradcheck
from torch.nn.functional import normalize

from clipfg.training.losses.dclip import dclip
from clipfg.training.nets.dclip_teacher import DclipTeacher
from tests.training.losses.plain import cosine, draw, mean
from tests.training.losses.test_contrastive import reference as contrastive


def test_it_is_the_formula() -> None:
    values = [draw(4, 5, seed=s) for s in range(4)]
    x, y, teacher, frozen = (v.tolist() for v in values)
    expected = {
        "images": mean([1 - cosine(a, b) for a, b in zip(x, teacher, strict=True)]),
        "texts": mean([1 - cosine(a, b) for a, b in zip(y, frozen, strict=True)]),
        "contrastive": contrastive(x, y, 20),
    }
    expected["loss"] = sum(expected.values())
    got = {name: term.item() for name, term in dclip(*values).items()}
    assert got == pytest.approx(expected, abs=1e-10)
    assert gradcheck(lambda x, y: dclip(x, y, *values[2:])["loss"], values[:2])
    dclip(*values)["loss"].backward()
    assert values[2].grad is values[3].grad is None


def test_the_teacher_leaks_the_captions() -> None:
    """Untrained, with noise for regions, it finds its captions; given others', it finds those.

    Features are unit-norm, 512 wide and in a narrow cone, as CLIP's are.
    """
    torch.manual_seed(0)
    teacher = DclipTeacher(512).eval()
    captions = normalize(torch.randn(200, 512) + 2 * torch.randn(512), dim=1)
    spans = normalize(captions[:, None] + 0.02 * torch.randn(200, 4, 512), dim=2)
    noise = normalize(torch.randn(200, 6, 512), dim=2)
    whole = torch.ones(200, 6, dtype=torch.bool), torch.ones(200, 4, dtype=torch.bool)

    with torch.no_grad():
        found = (normalize(teacher(noise, spans, *whole), dim=1) @ captions.T).argmax(dim=1)
        swapped = (normalize(teacher(noise, spans.flip(0), *whole), dim=1) @ captions.T).argmax(1)
    assert (found == torch.arange(200)).float().mean() > 0.99
    assert (swapped == torch.arange(200).flip(0)).float().mean() > 0.99
