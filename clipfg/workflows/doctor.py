"""What this machine offers, what is missing, and the command that fixes it."""

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
from clipfg.data.images.photo_kinds import INSTALL, LIBRARIES
from clipfg.options import DoctorOptions

State = Literal["ok", "note", "missing"]

PACKAGES = ("open_clip_torch", "torch", "torchvision", "transformers", "pyarrow", "safetensors")


@dataclass(frozen=True)
class HealthCheck:
    """One line of the examination: what, how it is, the detail, and how to fix it."""

    check: str
    state: State
    detail: str
    fix: str = ""


Finding = tuple[State, str] | tuple[State, str, str]
"""A check's state, detail and how to fix it."""


def examine(options: DoctorOptions) -> list[HealthCheck]:
    """Every check, in the order in which a person would fix things. None of them raises."""
    checks: tuple[Callable[[DoctorOptions], Finding], ...] = (_python, _packages, _torchvision)
    checks += (_photos, _processor, _gpu, _faiss, _cache, _hub, _builtin)
    findings = []
    for check in checks:
        name = check.__name__.strip("_")
        try:
            findings.append(HealthCheck(name, *check(options)))
        except Exception as error:  # a broken install is what the doctor is for
            findings.append(HealthCheck(name, "missing", f"{type(error).__name__}: {error}"))
    return findings


def _python(_: DoctorOptions) -> Finding:
    system = f"Python {platform.python_version()}, {platform.platform()}"
    return "ok", f"clipfg {__version__}, {system}"


def _packages(_: DoctorOptions) -> Finding:
    found, absent = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            absent.append(name)
    if absent:
        return "missing", f"not installed: {', '.join(absent)}", "pip install clipfg"
    return "ok", ", ".join(found)


def _torchvision(_: DoctorOptions) -> Finding:
    import torch

    try:
        import torchvision
    except Exception as error:
        fix = "pip install --force-reinstall torch torchvision (both from one index)"
        return "missing", f"does not fit torch {torch.__version__}: {error}", fix
    return "ok", f"{torchvision.__version__} fits torch {torch.__version__}"


def _photos(_: DoctorOptions) -> Finding:
    absent = [library for library in LIBRARIES if importlib.util.find_spec(library) is None]
    if absent:
        kinds = " and ".join("HEIC" if name == "pillow_heif" else "RAW" for name in absent)
        return "note", f"{kinds} pictures are left out", INSTALL
    found = ", ".join(f"{name} {version(name)}" for name in ("pillow-heif", "rawpy"))
    return "ok", f"HEIC and RAW pictures are read ({found})"


def _processor(_: DoctorOptions) -> Finding:
    import torch

    from clipfg.encoders.precision import fastest_precision

    precision = fastest_precision(torch.device("cpu"))
    what = "bf16 in hardware" if precision == "bf16" else "no bf16 in hardware; using fp32"
    return "ok", f"{os.cpu_count()} cores, {what}"


def _gpu(_: DoctorOptions) -> Finding:
    import torch

    if torch.cuda.is_available():
        names = {torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
        return "ok", f"{torch.cuda.device_count()} x {', '.join(sorted(names))}"
    if torch.backends.mps.is_available():
        return "ok", "Apple (mps)"
    if shutil.which("nvidia-smi"):
        fix = "install a torch build for the driver's CUDA version"
        return "note", "nvidia-smi is there, but torch sees no GPU", fix
    return "note", "none; everything runs on the CPU"


def _faiss(_: DoctorOptions) -> Finding:
    if importlib.util.find_spec("faiss") is None:
        return "missing", "not installed", "pip install clipfg"
    import faiss
    import numpy as np

    index = faiss.IndexFlatIP(4)
    index.add(np.eye(4, dtype=np.float32))
    if int(index.search(np.eye(4, dtype=np.float32)[2:3], 1)[1][0, 0]) != 2:
        return "missing", "returns wrong nearest neighbours", "reinstall faiss"
    if not hasattr(faiss, "StandardGpuResources"):
        return "ok", f"{faiss.__version__}, without GPU support"
    build = f"{faiss.__version__}, with GPU support"
    try:
        return "ok", f"{build}, {faiss.get_num_gpus()} GPU(s) usable"
    except Exception as error:
        return "note", f"{build}, which does not start: {error}"


def _cache(options: DoctorOptions) -> Finding:
    folder = options.cache_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        return "missing", f"{folder}: {error.strerror}", "choose another --cache-dir"
    free = shutil.disk_usage(folder).free / 2**30
    detail = f"{folder}, {free:,.1f} GiB free, SQLite {sqlite3.sqlite_version}"
    if free < 1:
        return "note", detail, "clipfg cache clear, or another --cache-dir"
    return "ok", detail


def _hub(options: DoctorOptions) -> Finding:
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    count = len(list(folder.glob("models--*"))) if folder.is_dir() else 0
    detail = f"{count} model(s) in {folder}"
    if options.offline:
        return "note", f"{detail}; offline by choice", "unset HF_HUB_OFFLINE to go online"
    return "ok", detail


def _builtin(_: DoctorOptions) -> Finding:
    from clipfg.encoders.loading import load_encoder

    encoder = load_encoder("builtin:florette", precision="fp32", device="cpu")
    rows = encoder.encode_texts(["a flower"])
    return "ok", f"builtin:florette runs, {rows.shape[1]} wide"
