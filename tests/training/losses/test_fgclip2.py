import pytest
import torch
from torch.autograd import gradcheck

from clipfg.training.losses.fgclip2 import fgclip2
from tests.training.losses.plain import draw
from tests.training.losses.test_fgclip_hard import reference as fgclip_hard
from tests.training.losses.test_region_phrases import reference as region_phrases
from tests.training.losses.test_sigmoid import reference as sigmoid
from tests.training.losses.test_text_contrast import reference as text_contrast

MASK = torch.tensor([[True, False], [False, False], [True, True]])
FALSE_MASK = torch.tensor([[[1, 0]] * 2, [[1, 1]] * 2, [[1, 1]] * 2]).bool()
ALSO_TRUE = [[False, True, False], [False, False, False], [True, False, False]]
IDS = torch.arange(18).view(3, 2, 3) % 7


def inputs() -> list[torch.Tensor]:
    whole = [draw(3, 5, seed=s) for s in range(3)]
    return [*whole, draw(3, 2, 5, seed=3), draw(3, 2, 5, seed=4), draw(3, 2, 2, 5, seed=5)]


def test_it_is_the_formula() -> None:
    values = inputs()
    numbers = [torch.tensor(s, dtype=torch.float64, requires_grad=True) for s in (3.0, -2.0, 4, 5)]

    def loss(*v):
        masks = {"false_mask": FALSE_MASK, "also_true_short": torch.tensor(ALSO_TRUE)}
        return fgclip2(*v[:6], MASK, *v[6:], margin=0.5, ids=IDS, **masks)

    image, long, short, regions, phrases, false = (v.tolist() for v in values)
    kept = [(i, j) for i in range(3) for j in range(2) if MASK[i, j]]
    of_kept = [[rows[i][j] for i, j in kept] for rows in (regions, phrases, false)]
    masks = [[rows.tolist()[i][j] for i, j in kept] for rows in (FALSE_MASK, IDS)]
    hard, margin = fgclip_hard(*of_kept, 5, 0.5, *masks)
    none = [[False] * 3] * 3
    ids = IDS[..., 0].tolist()
    expected = {
        "long": sigmoid(image, long, 3, -2, none),
        "short": sigmoid(image, short, 3, -2, ALSO_TRUE),
        "regions": region_phrases(regions, phrases, MASK.tolist(), 4, ids),
        "texts": text_contrast(of_kept[1], 10, 0.95),
        "hard": hard,
    }
    total = expected["long"] + expected["short"] + 0.2 * expected["regions"]
    total += 0.1 * expected["texts"] + 0.5 * expected["hard"]
    got = {name: term.item() for name, term in loss(*values, *numbers).items()}
    assert got == pytest.approx({"loss": total, **expected, "margin": margin}, abs=1e-10)
    assert gradcheck(lambda *v: loss(*v)["loss"], (*values, *numbers), fast_mode=True)


def test_the_margin_of_a_step_goes_into_the_next() -> None:
    values, mask = inputs(), torch.ones(3, 2, dtype=torch.bool)
    values[4] = values[3]  # every region is its phrase, so that there is a gap
    first = fgclip2(*values, mask, 10.0, -10.0, 10.0, 10.0)
    second = fgclip2(*values, mask, 10.0, -10.0, 10.0, 10.0, margin=first["margin"])
    assert first["margin"].item() > 5
    assert second["hard"].item() > first["hard"].item()


@pytest.mark.parametrize("valid", [0, 1])
def test_few_regions(valid) -> None:
    values = inputs()
    mask = torch.zeros(3, 2, dtype=torch.bool)
    mask[0, :valid] = True
    got = fgclip2(*values, mask, 10.0, -10.0, 30.0, 30.0, margin=2.0)
    got["loss"].backward()
    assert got["regions"].item() == got["texts"].item() == 0
    assert (got["hard"].item() > 0) == bool(valid)
    assert all(v.grad.isfinite().all() for v in values)
    assert values[3].grad.any() == bool(valid)
