"""Weights and configurations on disk: hashed and read without executing anything in them."""

import hashlib
import json
import pickle
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from clipfg.errors import DataError
from clipfg.trees import parse_json

Digest = Callable[[Path], str]
"""Hashes one file. Callers pass a memoised one, so that gigabytes are read once, not every run."""

VOLATILE = frozenset({"_name_or_path", "transformers_version", "dtype", "torch_dtype"})
"""Entries of a configuration that do not affect what the weights compute."""

NAMES_CODE = {
    "attn_implementation": {"eager", "sdpa", "flex_attention"},
    "experts_implementation": {"eager", "grouped_mm", "batched_mm"},
}
"""Entries of a configuration that name code, by what their names contain, and what they may say."""


def file_digest(path: Path) -> str:
    """The BLAKE2b hash of a file's bytes, 32 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def fingerprint_of(facts: Mapping[str, Any], files: Iterable[Path], digest: Digest) -> str:
    """One hash that identifies an encoder: `facts` in canonical JSON, `files` by name and content.

    Folders and `VOLATILE` entries are left out, so a checkpoint that moves keeps its fingerprint.
    """
    hasher = hashlib.blake2b(digest_size=16)
    hasher.update(json.dumps(_steady(facts), sort_keys=True, default=str).encode())
    for path in sorted(files, key=lambda path: path.name):
        hasher.update(f"\n{path.name} {digest(path)}".encode())
    return hasher.hexdigest()


def _steady(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _steady(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list | tuple):
        return [_steady(item) for item in value]
    return value


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object from disk. Raises `DataError` for anything else."""
    try:
        config = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, DataError) as error:
        raise DataError(f"Expected a model configuration in JSON, got {path}: {error}.") from None
    if not isinstance(config, dict):
        raise DataError(f"Expected a JSON object in {path}, got a {type(config).__name__}.")
    return config


def read_model_config(path: Path) -> dict[str, Any]:
    """A model's configuration. Raises `DataError` for one that refers to code of its own."""
    config = read_config(path)
    if "auto_map" in config:
        raise DataError(
            f"{path} refers to custom code, which clipfg never executes; use a checkpoint of a"
            " model that transformers knows."
        )
    check_no_code(config, path)
    return config


def check_no_code(config: Any, path: Path) -> None:
    """Raises `DataError` for a configuration that has code fetched by a name, at any depth.

    An attention or experts implementation such as `owner/kernel` is downloaded from a hub and run,
    as is `flash_attention_2` where its package is missing; timm fetches `hf-hub:...`.
    """
    if isinstance(config, list):
        for item in config:
            check_no_code(item, path)
    if not isinstance(config, dict):
        return
    for key, value in config.items():
        known = next((names for part, names in NAMES_CODE.items() if part in key), None)
        if known is not None:
            for name in value.values() if isinstance(value, dict) else [value]:
                if name is not None and str(name) not in known:
                    raise DataError(
                        f"{path} asks for the code {str(name)[:60]!r} as {key}, which clipfg never"
                        f" fetches; use one of {', '.join(sorted(known))}."
                    )
        if key == "timm_model_name" and re.search(r"[:/]", str(value)):
            raise DataError(
                f"{path} has {str(value)[:60]!r} as {key}, which is fetched from elsewhere; give"
                " the name of a model that timm has."
            )
        check_no_code(value, path)


def read_scalars(path: Path, names: Iterable[str]) -> dict[str, float]:
    """The scalars among `names` in a safetensors file; no other tensor is read.

    Raises `DataError` for a damaged file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            present = set(file.keys())
            return {name: file.get_tensor(name).float().item() for name in names if name in present}
    except (SafetensorError, OSError, RuntimeError) as error:
        raise damaged(path, error) from None


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor in a safetensors file, from its header alone.

    Raises `DataError` for a damaged file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError) as error:
        raise damaged(path, error) from None


def check_readable(path: Path) -> None:
    """Raise `DataError` for a weights file that is damaged or would run code when read.

    The header of a safetensors file shows whether it is truncated. A pickle is read by torch's
    unpickler of plain tensors, which executes nothing.
    """
    if path.suffix == ".safetensors":
        read_scalars(path, ())
        return
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # anything that matters is raised
            torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise DataError(
            f"{path} contains more than plain tensors, which clipfg never executes;"
            " use a checkpoint in safetensors."
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise damaged(path, error) from None


def damaged(path: Path, error: Exception) -> DataError:
    """The error for a file that does not contain what it should."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return DataError(
        f"{path} is damaged, incomplete or of another model ({reason[:200]}); fetch it again."
    )
