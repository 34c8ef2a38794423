"""Heads in files: safetensors with a JSON header, so that loading one runs no code of its own."""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from clipfg.errors import DataError
from clipfg.heads.base import HEADS, Head
from clipfg.types import ClassList

FORMAT = 1
_KEY = "clipfg"  # safetensors' metadata holds strings only: all of ours is one JSON string

_MARK = "/"


@dataclass(frozen=True)
class SavedHead:
    """A head from a file, the classes that its logits stand for, and the encoder it needs.

    `fingerprint` is that of the encoder whose features the head was fitted on, `model` and
    `precision` what it was loaded by; they are empty when the writer did not know them. `extras`
    are what others keep beside a head, by their name: fields of plain values and tensors.
    """

    head: Head
    classes: ClassList | None = None
    fingerprint: str = ""
    model: str = ""
    precision: str = ""
    extras: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def check_fingerprint(self, fingerprint: str) -> None:
        """Raises `DataError` when features of another encoder are about to be scored."""
        if self.fingerprint and fingerprint != self.fingerprint:
            name = f" ({self.model})" if self.model else ""
            raise DataError(
                f"Expected features of the encoder that the head was made with{name}, fingerprint"
                f" {self.fingerprint[:12]}, got {fingerprint[:12]}; use that model and precision."
            )


def save_head(
    path: Path | str,
    head: Head,
    classes: ClassList | None = None,
    fingerprint: str = "",
    model: str = "",
    precision: str = "",
    extras: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Write a fitted head; the file appears under its name only when it is complete.

    Raises `UsageError` for a head that is not fitted, `DataError` when the file cannot be
    written.
    """
    from safetensors.torch import save

    head.check_fitted()
    fitted = head.fitted | _flat(extras or {})
    tensors = {k: v.detach().cpu().contiguous() for k, v in fitted.items() if _is_tensor(v)}
    header = {
        "format": FORMAT,
        "head": head.name,
        "config": head.config,
        "fitted": {k: v for k, v in head.fitted.items() if not _is_tensor(v)},
        "classes": _class_fields(classes),
        "fingerprint": fingerprint,
        "model": model,
        "precision": precision,
        "extras": _plain(extras or {}),
    }
    data = save(tensors, metadata={_KEY: json.dumps(header, sort_keys=True)})
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise DataError(f"Could not write the head to {str(path)!r}: {error.strerror}.") from None


def load_head(path: Path | str) -> SavedHead:
    """Read what `save_head` wrote.

    Raises `DataError` for any other file, `UsageError` for a head that is not registered here.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            header = json.loads((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        reason = error.strerror or "no such file"
        raise DataError(f"Could not read a head from {str(path)!r}: {reason}.") from None
    except (SafetensorError, KeyError, ValueError):
        raise _not_a_head(path) from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise DataError(
            f"Expected a head of format {FORMAT}, got another in {str(path)!r};"
            " it was written by another version of clipfg."
        )
    try:
        return _rebuild(header, tensors)
    except (KeyError, TypeError, AttributeError):
        raise _not_a_head(path) from None


def _rebuild(header: dict[str, Any], tensors: dict[str, Tensor]) -> SavedHead:
    head = HEADS.get(header["head"])(**header["config"])
    extras = _gather(header.get("extras", {}), tensors)
    tensors = {key: value for key, value in tensors.items() if _MARK not in key}
    for name, value in (header["fitted"] | tensors).items():
        # only what `fit` computes: a file must not be able to replace a method
        if not name.endswith("_") or name.startswith("_"):
            raise KeyError(name)
        setattr(head, name, value)
    head.check_fitted()
    classes = _class_list(header["classes"])
    precision = header.get("precision", "")
    return SavedHead(head, classes, header["fingerprint"], header["model"], precision, extras)


def _flat(extras: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Fields under names that no fitted attribute of a head can have."""
    return {f"{own}{_MARK}{k}": v for own, fields in extras.items() for k, v in fields.items()}


def _plain(extras: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        own: {key: value for key, value in fields.items() if not _is_tensor(value)}
        for own, fields in extras.items()
    }


def _gather(
    plain: Mapping[str, Mapping[str, Any]], tensors: Mapping[str, Tensor]
) -> dict[str, dict[str, Any]]:
    extras = {own: dict(fields) for own, fields in plain.items()}
    for name, value in tensors.items():
        own, mark, key = name.partition(_MARK)
        if mark:
            extras[own][key] = value
    return extras


def _not_a_head(path: Path | str) -> DataError:
    return DataError(
        f"Expected a head that clipfg saved, got {str(path)!r}, which is none or is damaged."
    )


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def _class_fields(classes: ClassList | None) -> dict[str, Any] | None:
    if classes is None:
        return None
    return {
        "names": classes.names,
        "parents": dict(classes.parents),
        "texts": dict(classes.texts),
        "levels": classes.levels,
    }


def _class_list(fields: dict[str, Any] | None) -> ClassList | None:
    if fields is None:
        return None
    texts = {name: tuple(sentences) for name, sentences in fields["texts"].items()}
    levels = tuple(fields.get("levels", ()))
    return ClassList(tuple(fields["names"]), fields["parents"], texts, levels)
