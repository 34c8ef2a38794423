import pytest
import torch

from clipfg.encoders import load_encoder, precision


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
def test_bf16_if_the_cpu_supports_it(monkeypatch, flags, expected) -> None:
    monkeypatch.setattr(precision, "cpu_flags", lambda: flags)
    assert precision.fastest_precision(torch.device("cpu")) == expected


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "fp16"), ((8, 0), "bf16")])
def test_precision_of_gpus_by_generation(monkeypatch, capability, expected) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert precision.fastest_precision(torch.device("cuda")) == expected


def test_towers_are_cast_frozen_and_in_evaluation() -> None:
    model = load_encoder("builtin:florette", precision="bf16", device="cpu").model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not any(part.training for part in model.modules())


def test_the_flags_agree_with_torchs_own_detection() -> None:
    if not (flags := precision.cpu_flags()):
        pytest.skip("this system has no /proc/cpuinfo")
    assert ("avx512_bf16" in flags) == torch.cpu._is_avx512_bf16_supported()
    assert ("amx_tile" in flags) == torch.cpu._is_amx_tile_supported()
