"""Heads in files: safetensors with a JSON header, so that loading one runs no code of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from clipfg.atomic import finished
from clipfg.errors import DataError, UsageError
from clipfg.heads.array_head import DEFAULTS, ArrayHead, scores
from clipfg.heads.trial import takes, tried_width
from clipfg.types import ClassList

if TYPE_CHECKING:
    from torch import Tensor

    from clipfg.heads.base import Head

H = TypeVar("H", bound="Head[Any] | ArrayHead", default="Head")

FORMAT = 1
Make = Callable[[str, dict[str, Any], dict[str, Any]], H]
"""Makes a head of its name, its settings and what `fit` has computed."""
_KEY = "clipfg"  # safetensors' metadata holds strings only: all of ours is one JSON string
_MARK = "/"  # between the name of an extra and of its tensor; no fitted attribute has it


@dataclass(frozen=True)
class SavedHead(Generic[H]):
    """A head from a file, the classes that its logits stand for, and the encoder it needs.

    `fingerprint` is that of the encoder whose features the head was fitted on, `model` and
    `precision` how to load it; they are empty if unknown when the head was saved. `extras` are
    named records that are saved with a head, of plain values and tensors. `width` is that of the
    features on which a head from a file was tried, None for one that holds no tensor.
    """

    head: H
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
        if width not in (None, self.width) and not takes(self.head, width, None):
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
    from torch import Tensor

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
    return _loaded(path, _header(path), _tensors(path, "pt"), _fitted_head)


def load_array_head(path: Path | str) -> SavedHead[ArrayHead] | None:
    """As `load_head`, without torch: arrays stand for tensors.

    None for a head that needs torch, and for one that only `load_head` can judge.
    """
    header = _header(path)
    if not scores(header.get("head"), header.get("config")):
        return None
    return _loaded(path, header, _tensors(path, "np"), _array_head)


def _header(path: Path | str) -> dict[str, Any]:
    """All of a file but its tensors, which stay unread. Raises `DataError` for any other file."""
    with _opened(path, "np") as file:
        header = json.loads((file.metadata() or {})[_KEY])
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise DataError(
            f"Expected a head in format {FORMAT}, got another format in {str(path)!r};"
            " it was written by another version of clipfg."
        )
    return header


def _tensors(path: Path | str, framework: str) -> dict[str, Any]:
    with _opened(path, framework) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@contextmanager
def _opened(path: Path | str, framework: str) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework=framework) as file:
            yield file
    except OSError as error:
        reason = error.strerror or "no such file"
        raise DataError(f"Could not read a head from {str(path)!r}: {reason}.") from None
    except (SafetensorError, KeyError, ValueError, TypeError):
        raise _not_a_head(path) from None


def _loaded(
    path: Path | str, header: dict[str, Any], tensors: dict[str, Any], make: Make[H]
) -> SavedHead[H]:
    try:
        saved = _rebuild(header, tensors, make)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise _not_a_head(path) from None
    except DataError as error:
        raise DataError(f"{error} ({path})") from None
    count = len(saved.classes) if saved.classes else None
    return replace(saved, width=tried_width(saved.head, count, path))


def _rebuild(header: dict[str, Any], tensors: dict[str, Any], make: Make[H]) -> SavedHead[H]:
    fitted = dict(header["fitted"])
    extras = {name: dict(record) for name, record in header.get("extras", {}).items()}
    for name, value in tensors.items():
        own, mark, key = name.partition(_MARK)
        (extras[own] if mark else fitted)[key or own] = value
    for name in fitted:
        # only what `fit` computes: a file must not be able to replace a method
        if not name.endswith("_") or name.startswith("_"):
            raise KeyError(name)
    texts = header["fingerprint"], header["model"], header.get("precision", "")
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(texts)
    return SavedHead(
        make(header["head"], header["config"], fitted),
        None if header["classes"] is None else ClassList.from_dict(header["classes"]),
        *texts,
        extras,
    )


def _fitted_head(name: str, settings: dict[str, Any], fitted: dict[str, Any]) -> Head[Any]:
    from clipfg.heads.base import HEADS

    kind = HEADS.get(name)
    unknown = sorted(settings.keys() - signature(kind).parameters)
    if unknown:
        raise DataError(
            f"Expected the settings that a {name} head has, got {unknown[0]!r} too: another version"
            " of clipfg wrote it; fit it again."
        )
    head = kind(**settings)
    for own, value in fitted.items():
        setattr(head, own, value)
    head.check_fitted()
    return head


def _array_head(name: str, settings: dict[str, Any], fitted: dict[str, Any]) -> ArrayHead:
    return ArrayHead(name, DEFAULTS | settings | fitted)


def _not_a_head(path: Path | str) -> DataError:
    return DataError(
        f"Expected a head that clipfg saved, got {str(path)!r}, which is not one or is damaged."
    )
