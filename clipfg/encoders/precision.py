"""The fastest number format that a machine supports in hardware."""

from __future__ import annotations

import platform
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from clipfg.encoders.base import Precision


def fastest_precision(device: torch.device) -> Precision:
    """The format to prefer on `device`: bf16 in hardware, else fp16 on a GPU, else fp32.

    CPUs without AMX, AVX512-BF16 or Arm's BF16, and CUDA devices before compute capability 8,
    emulate bf16, which is slow.
    """
    if device.type == "cuda":
        import torch

        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    if device.type == "mps":
        return "fp16"
    return "bf16" if cpu_flags() & {"amx_bf16", "avx512_bf16", "bf16"} else "fp32"


def can_quantise() -> bool:
    """Whether the packages of the extra `onnx` are there."""
    return all(find_spec(name) is not None for name in ("onnx", "onnxruntime"))


def cpu_flags() -> set[str]:
    """The instruction sets of this CPU, by Linux's names; empty on other systems.

    Intel and AMD call theirs `amx_bf16` and `avx512_bf16`, Arm `bf16`. bf16 has not been measured
    on macOS and Windows.
    """
    return set(_told(r"flags|Features").split())


def cpu_name() -> str:
    """What the maker calls this CPU; on systems that do not say, its architecture."""
    return _told("model name") or platform.machine()


def _told(entry: str) -> str:
    """An entry of Linux's table of processors; nothing on other systems."""
    table = Path("/proc/cpuinfo")
    if platform.system() != "Linux" or not table.exists():
        return ""
    text = table.read_text(errors="replace")
    found = re.search(rf"^(?:{entry})\s*:(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""
