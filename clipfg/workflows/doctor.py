"""What this machine offers, what is missing, and the command that mends it."""

import importlib.util
import os
import platform
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from clipfg import __version__
from clipfg.options import DoctorOptions

State = Literal["ok", "note", "missing"]

PACKAGES = ("open_clip_torch", "torch", "torchvision", "transformers", "pyarrow", "safetensors")


@dataclass(frozen=True)
class HealthCheck:
    """One line of the examination: what, how it is, the detail, and how to mend it."""

    check: str
    state: State
    detail: str
    mend: str = ""


def examine(options: DoctorOptions) -> list[HealthCheck]:
    """Every check, in the order in which a person would mend things. None of them raises."""
    checks: list[Callable[[DoctorOptions], HealthCheck]] = [
        _python,
        _packages,
        _torchvision,
        _processor,
        _gpu,
        _faiss,
        _cache,
        _hub,
        _builtin,
    ]
    findings = []
    for check in checks:
        try:
            findings.append(check(options))
        except Exception as error:  # a broken install is what the doctor is for
            name = check.__name__.strip("_")
            findings.append(HealthCheck(name, "missing", f"{type(error).__name__}: {error}"))
    return findings


def _python(_: DoctorOptions) -> HealthCheck:
    detail = f"clipfg {__version__}, Python {platform.python_version()}, {platform.platform()}"
    return HealthCheck("python", "ok", detail)


def _packages(_: DoctorOptions) -> HealthCheck:
    found, absent = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            absent.append(name)
    if absent:
        return HealthCheck(
            "packages", "missing", f"not installed: {', '.join(absent)}", "pip install clipfg"
        )
    return HealthCheck("packages", "ok", ", ".join(found))


def _torchvision(_: DoctorOptions) -> HealthCheck:
    import torch

    try:
        import torchvision
    except Exception as error:
        return HealthCheck(
            "torchvision",
            "missing",
            f"does not fit torch {torch.__version__}: {error}",
            "pip install --force-reinstall torch torchvision (both from one index)",
        )
    return HealthCheck(
        "torchvision", "ok", f"{torchvision.__version__} fits torch {torch.__version__}"
    )


def _processor(_: DoctorOptions) -> HealthCheck:
    import torch

    from clipfg.encoders.precision import fastest_precision

    precision = fastest_precision(torch.device("cpu"))
    what = "bf16 in hardware" if precision == "bf16" else "no bf16 in hardware, fp32 it is"
    return HealthCheck("processor", "ok", f"{os.cpu_count()} cores, {what}")


def _gpu(_: DoctorOptions) -> HealthCheck:
    import torch

    if torch.cuda.is_available():
        names = {torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
        return HealthCheck("gpu", "ok", f"{torch.cuda.device_count()} x {', '.join(sorted(names))}")
    if torch.backends.mps.is_available():
        return HealthCheck("gpu", "ok", "Apple (mps)")
    if shutil.which("nvidia-smi"):
        return HealthCheck(
            "gpu",
            "note",
            "nvidia-smi is there, but torch sees no GPU",
            "install a torch build for the driver's CUDA version",
        )
    return HealthCheck("gpu", "note", "none; everything runs on the CPU")


def _faiss(_: DoctorOptions) -> HealthCheck:
    if importlib.util.find_spec("faiss") is None:
        return HealthCheck("faiss", "missing", "not installed", "pip install clipfg")
    import faiss
    import numpy as np

    index = faiss.IndexFlatIP(4)
    index.add(np.eye(4, dtype=np.float32))
    if int(index.search(np.eye(4, dtype=np.float32)[2:3], 1)[1][0, 0]) != 2:
        return HealthCheck("faiss", "missing", "gives wrong neighbours", "reinstall faiss")
    if not hasattr(faiss, "StandardGpuResources"):
        return HealthCheck("faiss", "ok", f"{faiss.__version__}, without a GPU half")
    build = f"{faiss.__version__}, with its GPU half"
    try:
        count = faiss.get_num_gpus()
    except Exception as error:
        return HealthCheck("faiss", "note", f"{build}, which does not start: {error}")
    return HealthCheck("faiss", "ok", f"{build}, {count} GPU(s) usable")


def _cache(options: DoctorOptions) -> HealthCheck:
    folder = options.cache_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        return HealthCheck(
            "cache", "missing", f"{folder}: {error.strerror}", "choose another --cache-dir"
        )
    free = shutil.disk_usage(folder).free / 2**30
    detail = f"{folder}, {free:,.1f} GiB free, SQLite {sqlite3.sqlite_version}"
    if free < 1:
        return HealthCheck("cache", "note", detail, "clipfg cache clear, or another --cache-dir")
    return HealthCheck("cache", "ok", detail)


def _hub(options: DoctorOptions) -> HealthCheck:
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    count = len(list(folder.glob("models--*"))) if folder.is_dir() else 0
    detail = f"{count} model(s) in {folder}"
    if options.offline:
        return HealthCheck(
            "hub", "note", f"{detail}; offline by choice", "unset HF_HUB_OFFLINE to go online"
        )
    return HealthCheck("hub", "ok", detail)


def _builtin(_: DoctorOptions) -> HealthCheck:
    from clipfg.encoders.loading import load_encoder

    encoder = load_encoder("builtin:florette", precision="fp32", device="cpu")
    rows = encoder.encode_texts(["a flower"])
    return HealthCheck("builtin", "ok", f"builtin:florette runs, {rows.shape[1]} wide")
