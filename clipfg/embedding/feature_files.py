"""Features in files: Parquet, npz and safetensors, by suffix; our own and other people's.

What clipfg writes describes itself: ids, labels, class names, splits, the encoder's fingerprint
and the manifest's hash come back as they were. Nothing is ever unpickled.
"""

import json
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clipfg.atomic import finished
from clipfg.embedding.foreign_features import Arrays, assemble, log_refused
from clipfg.embedding.parquet_features import KEY, FeatureWriter, parquet_arrays
from clipfg.errors import ClipfgError, DataError, UsageError
from clipfg.types import ClassList, Features

SUFFIXES = (".parquet", ".npz", ".safetensors")


@dataclass(frozen=True)
class FeatureFileInfo:
    """What a file of features says of itself beside its rows."""

    fingerprint: str = ""
    manifest: str = ""
    classes: ClassList | None = None

    def to_json(self) -> str:
        """As one line of JSON."""
        classes = None
        if self.classes is not None:
            classes = {
                "names": self.classes.names,
                "parents": dict(self.classes.parents),
                "texts": dict(self.classes.texts),
                "levels": self.classes.levels,
            }
        fields = {"fingerprint": self.fingerprint, "manifest": self.manifest, "classes": classes}
        return json.dumps({"format": 1, **fields}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "FeatureFileInfo":
        """The inverse. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        fields = json.loads(text)
        classes = fields["classes"]
        if classes is not None:
            texts = {name: tuple(lines) for name, lines in classes["texts"].items()}
            levels = tuple(classes.get("levels", ()))
            classes = ClassList(tuple(classes["names"]), classes["parents"], texts, levels)
        return cls(fields["fingerprint"], fields["manifest"], classes)


def check_path(path: Path | str) -> Path:
    """The path, if its suffix names a format that features are kept in; else `UsageError`."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"Expected a features file that ends in {', '.join(SUFFIXES)}, got {path.name!r}."
        )
    return path


def write_features(features: Features, path: Path | str) -> None:
    """Write pooled features; the file appears only when it is complete.

    Raises `UsageError` for an unknown suffix, `DataError` when the place cannot be written or
    there are patch tokens, for which none of the layouts has room.
    """
    path = check_path(path)
    if features.patches is not None:
        raise DataError("Expected pooled features only, got patch tokens; leave them out first.")
    about = FeatureFileInfo(features.fingerprint, features.manifest, features.classes)
    if path.suffix.lower() == ".parquet":
        with FeatureWriter(path, features.dim, about.to_json()) as writer:
            for start in range(0, len(features), writer.ROWS):
                part = slice(start, start + writer.ROWS)
                writer.write(
                    features.ids[part],
                    features.pooled[part],
                    features.labels[part],
                    features.splits[part] if features.splits else None,
                )
        return
    with finished(path) as partial:
        if path.suffix.lower() == ".npz":
            _write_npz(features, about, partial)
        else:
            _write_safetensors(features, about, partial)


def read_features(path: Path | str) -> Features:
    """The features in a file, clipfg's own or another's; splits are told apart by `splits`.

    Of others' files the matrix of features, labels, ids, class names and splits are recognised by
    name and shape (docs/data.md); labels that no names belong to are named by their number.

    Raises `UsageError` for an unknown suffix and `DataError` for a file that is missing, damaged,
    pickled, or without features.
    """
    path = check_path(path)
    if not path.is_file():
        raise DataError(f"Expected a file of features, and there is none: {path}")
    reader = {".parquet": parquet_arrays, ".npz": _npz_arrays, ".safetensors": _tensors}
    try:
        arrays, text = reader[path.suffix.lower()](path)
    except ClipfgError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, pa.ArrowException) as error:
        reason = (str(error).strip() or "it is damaged").splitlines()[0]
        raise DataError(f"Expected {path.suffix[1:]} features in {path}, got: {reason}") from None
    try:
        if text is None:
            return assemble(arrays)
        return _own(arrays, FeatureFileInfo.from_json(text))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"Expected features as clipfg writes them, got {path}: {error!r}") from None
    except DataError as error:
        raise DataError(f"{error} ({path})") from None


def _own(arrays: Arrays, about: FeatureFileInfo) -> Features:
    splits = tuple(str(split) or None for split in arrays["splits"]) if "splits" in arrays else ()
    return Features(
        ids=tuple(map(str, arrays["ids"])),
        pooled=np.asarray(arrays["features"], dtype=np.float32),
        labels=arrays["labels"].astype(np.int64),
        classes=about.classes,
        fingerprint=about.fingerprint,
        manifest=about.manifest,
        splits=splits,
    )


def _write_npz(features: Features, about: FeatureFileInfo, path: Path) -> None:
    arrays: dict[str, NDArray[Any]] = {
        "features": features.pooled,
        "labels": features.labels,
        "ids": np.array(features.ids, dtype=np.str_),
    }
    if features.splits:
        arrays["splits"] = np.array([split or "" for split in features.splits], dtype=np.str_)
    if features.classes is not None:
        arrays["classnames"] = np.array(features.classes.names, dtype=np.str_)
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays, **{KEY: np.array(about.to_json())})


def _npz_arrays(path: Path) -> tuple[Arrays, str | None]:
    arrays: Arrays = {}
    refused = []
    with path.open("rb") as file:  # a damaged archive would stay open if NumPy opened it
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"features": loaded}, None
        for name in loaded.files:
            try:
                arrays[name] = loaded[name]
            except ValueError as error:
                if "allow_pickle" not in str(error):
                    raise
                refused.append(name)
    log_refused(path, refused)
    text = arrays.pop(KEY, None)
    return arrays, None if text is None else str(text)


def _write_safetensors(features: Features, about: FeatureFileInfo, path: Path) -> None:
    from safetensors.numpy import save_file

    tensors: dict[str, NDArray[Any]] = {"features": features.pooled, "labels": features.labels}
    for name, words in (("ids", features.ids), ("splits", features.splits)):
        if words or name == "ids":
            # Tensors hold no strings: bytes end to end, and where each begins.
            encoded = [(word or "").encode() for word in words]
            tensors[f"{name}.bytes"] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
            lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
            tensors[f"{name}.offsets"] = np.concatenate([[0], np.cumsum(lengths)])
    save_file(tensors, path, {KEY: about.to_json()})


def _tensors(path: Path) -> tuple[Arrays, str | None]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            text = (file.metadata() or {}).get(KEY)
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    # NumPy has no bfloat16.
    arrays = {k: (t.float() if t.is_floating_point() else t).numpy() for k, t in tensors.items()}
    for name in ("ids", "splits"):
        if f"{name}.offsets" in arrays:
            joined = arrays.pop(f"{name}.bytes").tobytes()
            ends = arrays.pop(f"{name}.offsets").tolist()
            words = [joined[a:b].decode() for a, b in pairwise(ends)]
            arrays[name] = np.array(words, dtype=object)
    return arrays, text
