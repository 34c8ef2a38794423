"""Features in files: Parquet, npz and safetensors, by suffix; clipfg's own and other people's.

What clipfg writes describes itself: ids, labels, class names, splits, the encoder's fingerprint
and the manifest's hash come back as they were. Nothing is ever unpickled.
"""

import logging
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipfg.atomic import finished
from clipfg.embedding.feature_arrays import KEY, Arrays, FeatureFileInfo, from_arrays, to_arrays
from clipfg.embedding.foreign_features import assemble
from clipfg.embedding.parquet_features import parquet_arrays, write_parquet
from clipfg.errors import ClipfgError, DataError, UsageError
from clipfg.memory import in_words, machine_memory
from clipfg.types import Features
from clipfg.types.dense import offsets_of

SUFFIXES = (".parquet", ".npz", ".safetensors")
MOST_FOLDED = 100
"""Times that the arrays of an npz file may be larger; deflate packs zeros a thousandfold."""


def check_path(path: Path | str) -> Path:
    """The path, if its suffix names a format that features are kept in; else `UsageError`."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"Expected a features file that ends in {', '.join(SUFFIXES)}, got {path.name!r}."
        )
    return path


def write_features(features: Features, path: Path | str) -> None:
    """Write features with their patches, regions and bags; the file appears when it is complete.

    Raises `UsageError` for an unknown suffix, `DataError` when the file cannot be written.
    """
    path = check_path(path)
    writers = {".parquet": write_parquet, ".npz": _write_npz, ".safetensors": _write_safetensors}
    info = FeatureFileInfo(features.fingerprint, features.manifest, features.classes)
    with finished(path) as partial:
        writers[path.suffix.lower()](features, info.to_json(), partial)


def read_features(path: Path | str) -> Features:
    """The features in a file, clipfg's own or another's; `splits` says which row is in which.

    In others' files the matrix of features, labels, ids, class names and splits are recognised by
    name and shape (docs/data.md). Labels without class names are named by their number.

    Raises `UsageError` for an unknown suffix and `DataError` for a file that is missing, damaged,
    pickled, or without features.
    """
    path = check_path(path)
    if not path.is_file():
        raise DataError(f"Expected a file of features, got none at {path}.")
    readers = {".parquet": parquet_arrays, ".npz": _npz_arrays, ".safetensors": _tensors}
    try:
        arrays, info = readers[path.suffix.lower()](path)
    except ClipfgError:
        raise
    except Exception as error:  # zip, NumPy, Arrow and Rust raise a dozen kinds on hostile bytes
        raise DataError(
            f"Expected {path.suffix[1:]} features in {path}, got: {_reason(error)}."
        ) from None
    try:
        if info is None:
            return assemble(arrays)
        return from_arrays(arrays, FeatureFileInfo.from_json(info))
    except DataError as error:
        raise DataError(f"{error} ({path})") from None
    except Exception as error:
        name = type(error).__name__
        raise DataError(
            f"Expected clipfg's own layout in {path}, got {name}: {_reason(error)}."
        ) from None


def _reason(error: Exception) -> str:
    words = str(error).strip() or "it is damaged"
    return words.splitlines()[0][:200].rstrip(".")


def _write_npz(features: Features, info: str, path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **to_arrays(features), **{KEY: np.array(info)})


def _npz_arrays(path: Path) -> tuple[Arrays, str | None]:
    arrays: Arrays = {}
    refused = []
    with path.open("rb") as file:  # NumPy would leave a damaged archive open
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"features": loaded}, None
        _check_unfolded(loaded.zip, path.stat().st_size)
        for name in loaded.files:
            try:
                arrays[name] = loaded[name]
            except ValueError as error:
                if "allow_pickle" not in str(error):
                    raise
                refused.append(name)
    if refused:
        logging.getLogger("clipfg").warning(
            f"Skipped {', '.join(refused)} in {path}, since pickled objects are never read; save"
            " them as arrays of strings or numbers."
        )
    info = arrays.pop(KEY, None)
    return arrays, None if info is None else str(info)


def _check_unfolded(archive: zipfile.ZipFile, packed: int) -> None:
    """Raises `DataError` for a few bytes that unfold to what no features pack into."""
    size = sum(entry.file_size for entry in archive.infolist())
    if size > min(max(MOST_FOLDED * packed, 1 << 28), machine_memory() // 2):
        raise DataError(
            f"Expected features of at most {MOST_FOLDED} times their size in the file, or half of"
            f" this machine's memory, got {in_words(packed)} that unfold to {in_words(size)}."
        )


def _write_safetensors(features: Features, info: str, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    tensors: dict[str, NDArray[Any]] = {}
    for name, array in to_arrays(features).items():
        if array.dtype.kind != "U":
            tensors[name] = np.ascontiguousarray(array)
        elif name != "classnames":  # `info` has them
            # Tensors hold no strings: bytes end to end, and where each string begins.
            encoded = [word.encode() for word in array.tolist()]
            tensors[f"{name}.bytes"] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
            tensors[f"{name}.offsets"] = offsets_of([len(word) for word in encoded])
    try:
        save_file(tensors, path, {KEY: info})
    except SafetensorError as error:  # a full disk
        raise OSError(str(error)) from None


def _tensors(path: Path) -> tuple[Arrays, str | None]:
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            info = (file.metadata() or {}).get(KEY)
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    # NumPy has no bfloat16.
    arrays = {
        name: (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
        for name, tensor in tensors.items()
    }
    for name in ("ids", "splits", "region_phrases", "bag_names"):
        if f"{name}.offsets" in arrays:
            joined = arrays.pop(f"{name}.bytes").tobytes()
            ends = arrays.pop(f"{name}.offsets").tolist()
            arrays[name] = np.array([joined[a:b].decode() for a, b in pairwise(ends)], dtype=object)
    return arrays, info
