"""The fastest number format that a machine has in hardware, and a model brought into it."""

import platform
from pathlib import Path

import torch
from torch import nn

from clipfg.encoders.base import DTYPES, Precision


def fastest_precision(device: torch.device) -> Precision:
    """The format to prefer on `device`: bf16 in hardware, else fp16 on a GPU, else fp32.

    bf16 is emulated, slowly, by a CPU that has neither AMX nor AVX512-BF16 nor Arm's BF16, and by
    CUDA devices before compute capability 8.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    if device.type == "mps":
        return "fp16"
    return "bf16" if cpu_flags() & {"amx_bf16", "avx512_bf16", "bf16"} else "fp32"


def settle(model: nn.Module, device: torch.device, precision: Precision) -> nn.Module:
    """The towers on `device`, in evaluation mode, with no gradients, their weights cast once.

    Channels-last weights were measured and left out: 2 to 10 % of CPU time on a MobileNetV2, which
    is within the noise, and nothing on a ViT.
    """
    return model.to(device, DTYPES[precision]).eval().requires_grad_(False)


def cpu_flags() -> set[str]:
    """The instruction sets of this CPU, by Linux's names; empty where they cannot be read.

    Intel and AMD call theirs `amx_bf16` and `avx512_bf16`, Arm `bf16`. Apple's and Windows' are
    left out: bf16 has not been measured there.
    """
    table = Path("/proc/cpuinfo")
    if platform.system() != "Linux" or not table.exists():
        return set()
    for line in table.read_text(errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"flags", "Features"}:
            return set(value.split())
    return set()


def best_device() -> torch.device:
    """A CUDA device where there is one, then Apple's, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
