"""Heads in files: safetensors with a JSON header, so that loading one runs no code of its own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipfg.atomic import finished
from clipfg.errors import ClipfgError, DataError, UsageError
from clipfg.functional.similarity import unit_norm
from clipfg.heads.base import HEADS, FeatureSets, Head
from clipfg.types import ClassList

FORMAT = 1
TRIED = 256
"""Rows of a head's own tensors that it is tried on when it is loaded."""
_KEY = "clipfg"  # safetensors' metadata holds strings only: all of ours is one JSON string
_MARK = "/"  # between the name of an extra and of its tensor; no fitted attribute has it


@dataclass(frozen=True)
class SavedHead:
    """A head from a file, the classes that its logits stand for, and the encoder it needs.

    `fingerprint` is that of the encoder whose features the head was fitted on, `model` and
    `precision` how to load it; they are empty if unknown when the head was saved. `extras` are
    named records that are saved with a head, of plain values and tensors. `width` is that of the
    features on which a head from a file was tried, None for one that holds no tensor.
    """

    head: Head
    classes: ClassList | None = None
    fingerprint: str = ""
    model: str = ""
    precision: str = ""
    extras: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    width: int | None = None

    def check_encoder(self, fingerprint: str, width: int | None = None) -> None:
        """Raises `DataError` when features of another encoder are about to be scored, or features
        of a `width` that the head does not take.
        """
        if self.fingerprint and fingerprint != self.fingerprint:
            name = f" ({self.model})" if self.model else ""
            raise DataError(
                f"Expected features of the encoder that the head was made with{name}, fingerprint"
                f" {self.fingerprint[:12]}, got {fingerprint[:12]}; use that model and precision."
            )
        if width not in (None, self.width) and not _answers(self.head, width, None):
            raise DataError(
                f"Expected a head for features {width} wide, got one for others; use the encoder"
                " that it was made with, or fit it again."
            )


def check_savable(kind: type[Head[Any]]) -> None:
    """Raises `UsageError` for a head that is an encoder of its own, not something on features."""
    if kind.consumes == "images":
        raise UsageError(
            f"A {kind.name} head is a whole encoder and cannot be saved as a head; train one by"
            f" `clipfg finetune --recipe {kind.name} --dataset ...`, which every command takes as"
            " --model."
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

    Raises `UsageError` for a head that is not fitted or cannot be saved, `DataError` when the file
    cannot be written.
    """
    from safetensors.torch import save

    check_savable(type(head))
    head.check_fitted()
    fitted, tensors = _split(head.fitted)
    plain = {}
    for name, record in (extras or {}).items():
        plain[name], own = _split(record)
        tensors |= {f"{name}{_MARK}{key}": value for key, value in own.items()}
    header = {
        "format": FORMAT,
        "head": head.name,
        "config": head.config,
        "fitted": fitted,
        "classes": classes.to_dict() if classes else None,
        "fingerprint": fingerprint,
        "model": model,
        "precision": precision,
        "extras": plain,
    }
    with finished(Path(path)) as partial:
        partial.write_bytes(save(tensors, {_KEY: json.dumps(header, sort_keys=True)}))


def _split(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Plain values, and tensors as safetensors wants them."""
    tensors = {key: value for key, value in fields.items() if isinstance(value, Tensor)}
    plain = {key: value for key, value in fields.items() if key not in tensors}
    return plain, {key: value.detach().cpu().contiguous() for key, value in tensors.items()}


def load_head(path: Path | str) -> SavedHead:
    """Read what `save_head` wrote.

    The head is tried on the last rows of its own tensors, at most 256 of each, so that values that
    are not finite, and shapes that fit neither one another nor the classes, show here and not when
    it is used.

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
            f"Expected a head in format {FORMAT}, got another format in {str(path)!r};"
            " it was written by another version of clipfg."
        )
    try:
        saved = _rebuild(header, tensors)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise _not_a_head(path) from None
    except DataError as error:
        raise DataError(f"{error} ({path})") from None
    return replace(saved, width=_tried_width(saved, path))


def _tried_width(saved: SavedHead, path: Path | str) -> int | None:
    """The largest width of features that a head gives logits for. Raises `DataError` without."""
    tensors = {name: x for name, x in saved.head.fitted.items() if isinstance(x, Tensor)}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise DataError(
                f"Expected finite values in the head {str(path)!r}, got NaN or infinity in {name};"
                " fit it again."
            )
    # The width of features is that of some tensor: which one is the head's own business.
    widths = sorted({side for x in tensors.values() for side in x.shape}, reverse=True)
    count = len(saved.classes) if saved.classes else None
    width = next((width for width in widths if _answers(saved.head, width, count)), None)
    if widths and width is None:
        raise DataError(
            f"Expected a head whose tensors fit one another and its {count or ''} classes, got"
            f" {str(path)!r}, which gives no logits; fit it again."
        )
    return width


def _answers(head: Head[Any], width: int, classes: int | None) -> bool:
    """Whether a head gives finite logits of unit-norm features that are so wide."""
    rows = _tried(head, width)
    ends = torch.arange(len(rows) + 1)
    sets = FeatureSets(rows, ends, torch.ones(len(rows), 2, dtype=torch.int64))
    try:
        with torch.inference_mode():
            logits = head.logits(rows if head.consumes == "pooled" else sets)
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError, ClipfgError):
        return False
    fits = logits.ndim == 2 and len(logits) == len(rows) and classes in (None, logits.shape[1])
    return fits and bool(logits.isfinite().all())


def _tried(head: Head[Any], width: int) -> Tensor:
    """Features that meet much of a head: the last rows of its own tensors, such as keys."""
    own = [torch.ones(1, width)]
    for tensor in head.fitted.values():
        if isinstance(tensor, Tensor) and tensor.ndim == 2 and tensor.shape[1] == width:
            own.append(tensor[-TRIED:].float().cpu())
    rows = torch.cat(own)
    return unit_norm(rows[rows.any(dim=1)])


def _rebuild(header: dict[str, Any], tensors: dict[str, Tensor]) -> SavedHead:
    head = HEADS.get(header["head"])(**header["config"])
    fitted, extras = dict(header["fitted"]), header.get("extras", {})
    for name, value in tensors.items():
        own, mark, key = name.partition(_MARK)
        (extras[own] if mark else fitted)[key or own] = value
    for name, value in fitted.items():
        # only what `fit` computes: a file must not be able to replace a method
        if not name.endswith("_") or name.startswith("_"):
            raise KeyError(name)
        setattr(head, name, value)
    head.check_fitted()
    return SavedHead(
        head,
        None if header["classes"] is None else ClassList.from_dict(header["classes"]),
        header["fingerprint"],
        header["model"],
        header.get("precision", ""),
        extras,
    )


def _not_a_head(path: Path | str) -> DataError:
    return DataError(
        f"Expected a head that clipfg saved, got {str(path)!r}, which is not one or is damaged."
    )
