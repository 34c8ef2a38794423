"""What every loss keeps: half precision, autocast, batches of one."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

import clipfg.training.losses
from clipfg.training.losses.centroids import Centroids
from clipfg.training.losses.cm_cgns import cm_cgns, reconstruct
from clipfg.training.losses.contrastive import contrastive
from clipfg.training.losses.dclip import dclip
from clipfg.training.losses.distillation import distillation, region_scores, region_target
from clipfg.training.losses.fgclip1 import fgclip1
from clipfg.training.losses.fgclip2 import fgclip2
from clipfg.training.losses.fgclip_hard import fgclip_hard
from clipfg.training.losses.hard_negatives import hard_negatives
from clipfg.training.losses.region_phrases import region_phrases
from clipfg.training.losses.sigmoid import sigmoid
from clipfg.training.losses.supcon import supcon
from clipfg.training.losses.text_contrast import text_contrast
from clipfg.training.losses.varcon import varcon

Draw = Callable[..., Tensor]


def _mask(*shape: int) -> Tensor:
    return torch.ones(shape, dtype=torch.bool)


def _distillation(t: Draw, b: int) -> Tensor:
    crops, phrases, mask = t(b, 3, 8), t(5, 8), _mask(b, 3)
    target, scores = region_target(t(b, 8), crops, mask), region_scores(crops, mask, phrases)
    return distillation(t(b, 8), t(b, 8), target, t(b, 8), phrases, scores, mask.any(dim=1), 100.0)[
        "loss"
    ]


def _cm_cgns(t: Draw, b: int) -> Tensor:
    patches = [t(b, 3, 8) for _ in range(4)]
    rebuilt = reconstruct(t(b, 3, 8), t(b, 3, 8), _mask(b, 3))
    centroids = Centroids.start(t(6, 8), 4).moved(t(b, 8))
    whole = t(b, 8), t(b, 8)
    return cm_cgns(
        *whole, *patches, t(b, 8), t(b, 8), 100.0, centroids=centroids, reconstruction=rebuilt
    )["loss"]


def _fgclip(t: Draw, b: int) -> tuple[Tensor, ...]:
    whole = t(b, 8), t(b, 8), t(b, 8)
    return *whole, t(b, 2, 8), t(b, 2, 8), t(b, 2, 3, 8), _mask(b, 2)


LOSSES: dict[str, Callable[[Draw, int], Tensor]] = {
    "contrastive": lambda t, b: contrastive(t(b, 8), t(b, 8), 100.0),
    "sigmoid": lambda t, b: sigmoid(t(b, 8), t(b, 8), 100.0, -10.0),
    "supcon": lambda t, b: supcon(t(b, 8), torch.arange(b) % 3),
    "varcon": lambda t, b: varcon(t(b, 8), torch.arange(b) % 3),
    "region_phrases": lambda t, b: region_phrases(t(b, 2, 8), t(b, 2, 8), _mask(b, 2), 100.0),
    "hard_negatives": lambda t, b: hard_negatives(t(b, 8), t(b, 8), t(b, 3, 8), 100.0),
    "text_contrast": lambda t, b: text_contrast(t(b, 8)),
    "fgclip_hard": lambda t, b: fgclip_hard(t(b, 8), t(b, 8), t(b, 3, 8), 100.0, 1.0).loss,
    "fgclip1": lambda t, b: fgclip1(*_fgclip(t, b), 100.0, 100.0, 100.0)["loss"],
    "fgclip2": lambda t, b: fgclip2(*_fgclip(t, b), 100.0, -10.0, 100.0, 100.0)["loss"],
    "dclip": lambda t, b: dclip(t(b, 8), t(b, 8), t(b, 8), t(b, 8))["loss"],
    "distillation": _distillation,
    "cm_cgns": _cm_cgns,
}


class Draws:
    """Seeded rows, rounded to bfloat16 and then given as `dtype`; their gradients."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype, self.generator = dtype, torch.Generator().manual_seed(0)
        self.drawn: list[Tensor] = []

    def __call__(self, *shape: int) -> Tensor:
        rows = torch.randn(shape, generator=self.generator).bfloat16().to(self.dtype)
        self.drawn.append(rows.requires_grad_())
        return rows

    def gradients(self) -> list[Tensor]:
        return [rows.grad for rows in self.drawn if rows.grad is not None]


def test_every_loss_is_here() -> None:
    files = {p.stem for p in Path(clipfg.training.losses.__file__).parent.glob("*.py")}
    assert files - {"__init__", "centroids"} == set(LOSSES)


@pytest.mark.parametrize("b", [1, 2, 7])
@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_costs_no_more_than_its_rounding(name, b) -> None:
    """The loss of bfloat16 rows is that of the same rows in float32, at scale 100 too."""
    half, single = Draws(torch.bfloat16), Draws(torch.float32)
    loss, expected = LOSSES[name](half, b), LOSSES[name](single, b)
    loss.backward()
    expected.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    torch.testing.assert_close(loss, expected)
    assert half.gradients()
    for got, exact in zip(half.gradients(), single.gradients(), strict=True):
        assert got.isfinite().all()
        assert (got - exact).norm() <= 0.02 * exact.norm() + 1e-6


@pytest.mark.parametrize("name", LOSSES)
def test_autocast_changes_nothing(name) -> None:
    expected = LOSSES[name](Draws(torch.float32), 7)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(LOSSES[name](Draws(torch.float32), 7), expected)
