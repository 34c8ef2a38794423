import pytest
import torch
from torch.autograd import gradcheck

from clipfg.training.losses.fgclip1 import fgclip1
from tests.training.losses.plain import draw
from tests.training.losses.test_contrastive import reference as contrastive
from tests.training.losses.test_hard_negatives import reference as hard_negatives
from tests.training.losses.test_region_phrases import reference as region_phrases

MASK = torch.tensor([[True, False], [False, False], [True, True]])
FALSE_MASK = torch.rand(3, 2, 4, generator=torch.Generator().manual_seed(0)) < 0.7
ALSO_TRUE = [[False, True, False], [False, False, False], [True, False, False]]
IDS = torch.tensor([[0, 9], [9, 9], [0, 1]])


def inputs() -> list[torch.Tensor]:
    whole = [draw(3, 5, seed=s) for s in range(3)]
    return [*whole, draw(3, 2, 5, seed=3), draw(3, 2, 5, seed=4), draw(3, 2, 4, 5, seed=5)]


def test_it_is_the_formula() -> None:
    values = inputs()
    scales = [torch.tensor(s, dtype=torch.float64, requires_grad=True) for s in (3.0, 4.0, 5.0)]

    def loss(*v):
        masks = {"false_mask": FALSE_MASK, "also_true_short": torch.tensor(ALSO_TRUE)}
        return fgclip1(*v[:6], MASK, *v[6:], phrase_ids=IDS, **masks)

    image, long, short, regions, phrases, false = (v.tolist() for v in values)
    kept = [(i, j) for i in range(3) for j in range(2) if MASK[i, j]]
    expected = {
        "long": contrastive(image, long, 3),
        "short": contrastive(image, short, 3, ALSO_TRUE),
        "regions": region_phrases(regions, phrases, MASK.tolist(), 4, IDS.tolist()),
        "hard": hard_negatives(
            *([rows[i][j] for i, j in kept] for rows in (regions, phrases, false)),
            5,
            [FALSE_MASK[i, j].tolist() for i, j in kept],
        ),
    }
    got = {name: term.item() for name, term in loss(*values, *scales).items()}
    total = expected["long"] + expected["short"]
    total += 0.1 * expected["regions"] + 0.5 * expected["hard"]
    assert got == pytest.approx({"loss": total, **expected}, abs=1e-10)
    assert gradcheck(lambda *v: loss(*v)["loss"], (*values, *scales), fast_mode=True)


@pytest.mark.parametrize("valid", [0, 1])
def test_few_regions(valid) -> None:
    values = inputs()
    mask = torch.zeros(3, 2, dtype=torch.bool)
    mask[0, :valid] = True
    got = fgclip1(*values, mask, 30.0, 30.0, 30.0)
    got["loss"].backward()
    assert got["regions"].item() == 0
    assert (got["hard"].item() > 0) == bool(valid)
    assert all(v.grad.isfinite().all() for v in values)
    assert values[3].grad.any() == bool(valid)
