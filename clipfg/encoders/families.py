"""The families of encoders that come with clipfg: from the rest of a name to an encoder."""

import re
from pathlib import Path

import torch

from clipfg.encoders.base import Encoder, Precision
from clipfg.encoders.open_clip.encoder import OpenClipEncoder
from clipfg.encoders.open_clip.files import CONFIG, files_in_folder, files_of_tag
from clipfg.encoders.weights import Digest
from clipfg.errors import MissingError, UsageError
from clipfg.registry import closest

PACKAGED = Path(__file__).parent


def open_clip(
    rest: str, *, precision: Precision, device: torch.device, offline: bool, digest: Digest
) -> Encoder:
    """`ARCH/TAG`, or `local-dir:PATH` for a folder in open_clip's layout."""
    scheme, colon, path = rest.partition(":")
    if colon and scheme == "local-dir":
        files = files_in_folder(_folder(path), offline=offline)
    elif colon:
        raise UsageError(f"Expected open_clip:ARCH/TAG or open_clip:local-dir:PATH, got {rest!r}.")
    else:
        files = files_of_tag(rest, offline=offline)
    return OpenClipEncoder(
        f"open_clip:{rest}", files, precision=precision, device=device, digest=digest
    )


def builtin(
    rest: str,
    *,
    precision: Precision,
    device: torch.device,
    offline: bool,  # noqa: ARG001 - it always is
    digest: Digest,
) -> Encoder:
    """A model that ships in the package; it is never downloaded."""
    known = sorted(path.parent.name for path in PACKAGED.glob(f"*/{CONFIG}"))
    if not re.fullmatch(r"[a-z0-9-]+", rest) or rest not in known:
        raise UsageError(
            f"Expected a built-in model ({', '.join(known) or 'none is installed'}),"
            f" got {rest!r}.{closest(rest, known)}"
        )
    return OpenClipEncoder(
        f"builtin:{rest}",
        files_in_folder(PACKAGED / rest),
        precision=precision,
        device=device,
        digest=digest,
    )


def hugging_face(
    rest: str, *, precision: Precision, device: torch.device, offline: bool, digest: Digest
) -> Encoder:
    """A repository of the hub, or a folder in transformers' layout."""
    from clipfg.encoders.transformers.encoder import TransformersEncoder
    from clipfg.encoders.transformers.files import files_in_folder, files_of_repository

    folder = Path(rest).expanduser()
    looks_like_a_path = rest.startswith(("/", ".", "~")) or rest.count("/") != 1
    if folder.is_dir() or looks_like_a_path:
        files = files_in_folder(_folder(rest))
    else:
        files = files_of_repository(rest, offline=offline)
    return TransformersEncoder(
        f"hf:{rest}", files, precision=precision, device=device, digest=digest
    )


def _folder(path: str) -> Path:
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise MissingError(f"Expected a folder with a model, got {path!r}, which is not there.")
    return folder
