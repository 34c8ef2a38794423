"""Encoders by name."""

from pathlib import Path
from typing import Literal

import torch

from clipfg.encoders.base import DTYPES, Encoder, Precision
from clipfg.encoders.families import FAMILIES
from clipfg.encoders.fgclip.files import holds_fgclip
from clipfg.encoders.precision import fastest_precision
from clipfg.encoders.weights import Digest, file_digest
from clipfg.errors import MissingError, UsageError
from clipfg.paths import expanded


def load_encoder(
    name: str,
    *,
    precision: Precision | Literal["auto"] = "auto",
    device: str = "auto",
    offline: bool = False,
    digest: Digest = file_digest,
    exports: Path | None = None,
) -> Encoder:
    """An encoder by name; its weights are on disk afterwards, and loaded when first used.

    Parameters
    ----------
    name
        `open_clip:ARCH/TAG`, `open_clip:local-dir:PATH`, `hf:REPO-or-PATH`,
        `fgclip:REPO-or-PATH`, `builtin:NAME`, a plug-in's `PREFIX:...`; a bare `ARCH/TAG` is
        open_clip's, and the content of a folder given by its bare path says which family it is of.
    precision
        The towers' number format; `"auto"` is the fastest that the device supports in hardware.
        With `"int8"` the image tower computes with bytes, by ONNX Runtime on a CPU, and texts in
        float32.
    device
        `"auto"`, `"cpu"`, `"cuda"`, `"cuda:1"`, `"mps"`.
    offline
        Never use the network; `HF_HUB_OFFLINE` does the same.
    digest
        Hashes one weights file; a caller that keeps digests avoids reading gigabytes again.
    exports
        A folder for towers that were exported for `"int8"`; without one they are exported anew.

    Raises `UsageError` for a name, precision or device that does not exist, `MissingError` when
    weights are not on disk and cannot be fetched, or the extra that int8 needs is not installed,
    `DataError` for a damaged checkpoint.
    """
    if precision != "auto" and precision not in DTYPES:
        raise UsageError(f"Expected a precision of auto, {', '.join(DTYPES)}, got {precision!r}.")
    place = _device(device)
    if precision == "int8" and place.type != "cpu":
        raise UsageError(f"--precision int8 is for CPUs, got device {place}; use bf16 or fp16.")
    prefix, rest = _split(name)
    encoder = FAMILIES.get(prefix)(
        rest,
        precision=fastest_precision(place) if precision == "auto" else precision,
        device=place,
        offline=offline,
        digest=digest,
        exports=exports,
    )
    if precision == "int8":
        from clipfg.encoders.quantised import check_quantisable

        check_quantisable(encoder.name, any_shape=encoder.preprocessing.any_shape)
    return encoder


def pull(name: str) -> str:
    """Download what `name` needs, unless it is on disk already, and return its full name.

    Progress goes to stderr. Raises what `load_encoder` raises.
    """
    return load_encoder(name, precision="fp32", device="cpu").name


def is_on_disk(name: str) -> bool:
    """Whether `name` loads without a network. Raises `UsageError` for an unknown name."""
    try:
        load_encoder(name, precision="fp32", device="cpu", offline=True)
    except MissingError:
        return False
    return True


def _device(name: str) -> torch.device:
    if name == "auto":
        gpus = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        return torch.device(next((kind for kind, there in gpus.items() if there), "cpu"))
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(
            f"Expected a device of this machine (auto, cpu, cuda, mps), got {name!r}: {reason}"
        ) from None
    return device


def _split(name: str) -> tuple[str, str]:
    folder = expanded(name)
    if folder.is_dir():
        if (folder / "open_clip_config.json").is_file():
            return "open_clip", f"local-dir:{folder}"
        if (folder / "config.json").is_file():
            return "fgclip" if holds_fgclip(folder) else "hf", str(folder)
        raise MissingError(
            f"Expected open_clip_config.json or config.json in the folder {name}, got neither."
        )
    prefix, colon, rest = name.partition(":")
    if not colon:
        return "open_clip", name
    if not rest:
        raise UsageError(f"Expected the name of a model after the colon, got {name!r}.")
    return prefix, rest
