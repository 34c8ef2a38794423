import pytest
import torch
from torch import nn

from clipfg.encoders import precision


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"sse", "avx2", "avx512f"}, "fp32"),
        ({"avx512f", "avx512_bf16"}, "bf16"),
        ({"amx_bf16", "amx_tile"}, "bf16"),
        ({"fp", "asimd", "bf16"}, "bf16"),
        (set(), "fp32"),
    ],
)
def test_bf16_where_the_cpu_has_it(monkeypatch, flags, expected) -> None:
    monkeypatch.setattr(precision, "cpu_flags", lambda: flags)
    assert precision.fastest_precision(torch.device("cpu")) == expected


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "fp16"), ((8, 0), "bf16")])
def test_gpus_by_their_generation(monkeypatch, capability, expected) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert precision.fastest_precision(torch.device("cuda")) == expected


def test_convolutional_towers_keep_their_channels_last() -> None:
    tower = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 5, 3))
    pixels = torch.rand(2, 3, 9, 9)
    expected = tower.eval()(pixels).detach()
    settled = precision.settle(tower, torch.device("cpu"), "fp32")
    assert settled[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert not settled[0].weight.requires_grad
    torch.testing.assert_close(settled(pixels), expected)
    vit = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(196, 2))
    assert precision.settle(vit, torch.device("cpu"), "bf16")[0].weight.is_contiguous()
    assert vit[2].weight.dtype == torch.bfloat16


def test_the_flags_agree_with_torchs_own_detection() -> None:
    if not (flags := precision.cpu_flags()):
        pytest.skip("this system has no /proc/cpuinfo")
    assert ("avx512_bf16" in flags) == torch.cpu._is_avx512_bf16_supported()
    assert ("amx_tile" in flags) == torch.cpu._is_amx_tile_supported()
