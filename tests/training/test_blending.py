"""Weights between base and tuned; both ends to the bit."""

import torch
from torch import nn

from clipfg.training.blending import SHARES, Blender


def tuned() -> tuple[nn.Module, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    base = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        model[0].weight.add_(torch.randn(3, 3))
        model[1].num_batches_tracked += 5
    return model, base, {name: value.clone() for name, value in model.state_dict().items()}


def test_both_ends_are_exact_and_the_rest_lies_between() -> None:
    model, base, end = tuned()
    blender = Blender(model, base)
    for share, wanted in ((0.0, base), (1.0, end), (0.3, None), (0.0, base), (1.0, end)):
        blender.put(share)
        for name, value in model.state_dict().items():
            if wanted is not None:
                assert value.equal(wanted[name])
            elif value.is_floating_point():
                torch.testing.assert_close(value, 0.7 * base[name] + 0.3 * end[name])


def test_the_curve_measures_at_every_share() -> None:
    model, base, end = tuned()
    found = Blender(model, base).curve(lambda: model[0].weight.detach().clone())
    assert tuple(point.share for point in found) == SHARES
    assert found[0].measured.equal(base["0.weight"])
    assert found[-1].measured.equal(end["0.weight"])
